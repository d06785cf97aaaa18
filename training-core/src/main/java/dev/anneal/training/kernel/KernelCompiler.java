package dev.anneal.training.kernel;

import dev.anneal.training.tensor.NativeLibraries;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import org.bytedeco.cuda.global.nvrtc;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.SizeTPointer;

/** Compiles kernels for a chip, through NVRTC. */
final class KernelCompiler {
  private static final int SUCCESS = 0;

  /**
   * A variant's machine code is a function of these two, and the ranks of a JVM want the same ones
   * at the same time.
   */
  private record Wanted(KernelVariant variant, int capability) {
    String architecture() {
      return variant.architecture(capability);
    }
  }

  private static final ConcurrentMap<Wanted, byte[]> COMPILED = new ConcurrentHashMap<>();

  private KernelCompiler() {}

  /**
   * The cubin of {@code variant}, compiled by the first who asks.
   *
   * @param capability the chip's, 90 for 9.0
   * @throws KernelException if NVRTC is missing or refuses the source
   */
  static byte[] cubin(KernelVariant variant, int capability) {
    return COMPILED.computeIfAbsent(new Wanted(variant, capability), KernelCompiler::compile);
  }

  private static byte[] compile(Wanted wanted) {
    KernelVariant variant = wanted.variant();
    try (PointerScope scope = new PointerScope()) {
      NativeLibraries.load(nvrtc.class);
      _nvrtcProgram program = new _nvrtcProgram();
      check(
          nvrtc.nvrtcCreateProgram(
              program,
              new BytePointer(variant.text()),
              new BytePointer(variant.file()),
              KernelVariant.HEADERS.size(),
              strings(KernelVariant.HEADERS.stream().map(KernelVariant::resource).toList()),
              strings(KernelVariant.HEADERS)),
          wanted,
          "");
      try {
        List<String> options = options(wanted);
        int error = nvrtc.nvrtcCompileProgram(program, options.size(), strings(options));
        check(error, wanted, error == SUCCESS ? "" : ":\n" + log(program));
        SizeTPointer size = new SizeTPointer(1);
        check(nvrtc.nvrtcGetCUBINSize(program, size), wanted, "");
        byte[] cubin = new byte[Math.toIntExact(size.get())];
        check(nvrtc.nvrtcGetCUBIN(program, cubin), wanted, "");
        return cubin;
      } finally {
        nvrtc.nvrtcDestroyProgram(program);
      }
    } catch (LinkageError e) {
      throw new KernelException(
          "NVRTC, CUDA's run-time compiler, cannot be loaded (%s): put libnvrtc.so.13 and libnvrtc-builtins of CUDA 13 on the library path"
              .formatted(e.getMessage()),
          e);
    }
  }

  private static PointerPointer<BytePointer> strings(List<String> strings) {
    return new PointerPointer<>(strings.stream().map(BytePointer::new).toArray(BytePointer[]::new));
  }

  private static List<String> options(Wanted wanted) {
    List<String> options = new ArrayList<>(wanted.variant().definitions());
    options.add("--gpu-architecture=" + wanted.architecture());
    options.add("--std=c++17");
    return options;
  }

  private static String log(_nvrtcProgram program) {
    SizeTPointer size = new SizeTPointer(1);
    nvrtc.nvrtcGetProgramLogSize(program, size);
    BytePointer log = new BytePointer(Math.max(1, size.get()));
    nvrtc.nvrtcGetProgramLog(program, log);
    return log.getString();
  }

  private static void check(int error, Wanted wanted, String detail) {
    if (error != SUCCESS) {
      throw new KernelException(
          "NVRTC cannot compile kernel %s for %s (%s)%s"
              .formatted(
                  wanted.variant(),
                  wanted.architecture(),
                  nvrtc.nvrtcGetErrorString(error).getString(),
                  detail));
    }
  }
}
