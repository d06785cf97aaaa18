package dev.anneal.training.kernel;

import dev.anneal.training.tensor.Device;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentMap;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch_cuda;

/** Loads kernels into a device and starts them on the current stream of the calling thread. */
final class KernelLauncher implements AutoCloseable {
  private static final int SUCCESS = 0;

  private final Device device;
  private final int capability;
  private final ConcurrentMap<KernelVariant, CUfunc_st> functions = new ConcurrentHashMap<>();
  private final Queue<CUmod_st> modules = new ConcurrentLinkedQueue<>();
  private final ThreadLocal<KernelArguments> arguments =
      ThreadLocal.withInitial(KernelArguments::new);

  /** For {@code device}, which must be the current one of every thread that calls. */
  KernelLauncher(Device device) {
    this.device = device;
    this.capability =
        10 * attribute(cudart.cudaDevAttrComputeCapabilityMajor)
            + attribute(cudart.cudaDevAttrComputeCapabilityMinor);
    // makes the device's primary context current if nothing has yet
    check(cudart.cudaFree(null), "its context");
  }

  private int attribute(int attribute) {
    int[] value = new int[1];
    check(cudart.cudaDeviceGetAttribute(value, attribute, device.cuda()), "its attributes");
    return value[0];
  }

  /** The chip's compute capability, 90 for 9.0. */
  int capability() {
    return capability;
  }

  /** The calling thread's arguments, to be filled for the next {@link #launch}. */
  KernelArguments arguments() {
    return arguments.get().clear();
  }

  /** Starts a grid of {@code columns x rows} blocks; an empty grid is nothing to do. */
  void launch(
      KernelVariant variant,
      long columns,
      long rows,
      int threadsX,
      int threadsY,
      KernelArguments filled) {
    if (columns == 0 || rows == 0) {
      return;
    }
    CUfunc_st function = functions.get(variant);
    if (function == null) {
      function = functions.computeIfAbsent(variant, this::load);
    }
    int error;
    try (CUDAStream stream = torch_cuda.getCurrentCUDAStream((byte) device.cuda())) {
      error =
          cudart.cuLaunchKernel(
              function,
              Math.toIntExact(columns),
              Math.toIntExact(rows),
              1,
              threadsX,
              threadsY,
              1,
              0,
              stream.stream(),
              filled.addresses(),
              null);
    }
    if (error != SUCCESS) {
      check(error, "kernel " + variant);
    }
  }

  private CUfunc_st load(KernelVariant variant) {
    byte[] cubin = KernelCompiler.cubin(variant, capability);
    try (PointerScope scope = new PointerScope()) {
      CUmod_st module = new CUmod_st();
      check(cudart.cuModuleLoadData(module, new BytePointer(cubin)), "kernel " + variant);
      modules.add(module);
      CUfunc_st function = new CUfunc_st();
      check(
          cudart.cuModuleGetFunction(function, module, variant.source().function()),
          "kernel " + variant);
      return function;
    }
  }

  /** The driver's and the runtime's numbers of errors are the same. */
  private void check(int error, String what) {
    if (error != SUCCESS) {
      try (PointerPointer<Pointer> name = new PointerPointer<>(1)) {
        cudart.cuGetErrorName(error, name);
        Pointer text = name.get();
        throw new KernelException(
            "%s failed on %s: %s"
                .formatted(
                    what,
                    device,
                    text == null ? "error " + error : new BytePointer(text).getString()));
      }
    }
  }

  /** Unloads the kernels; those that run must have ended. */
  @Override
  public void close() {
    functions.clear();
    for (CUmod_st module = modules.poll(); module != null; module = modules.poll()) {
      check(cudart.cuModuleUnload(module), "unloading kernels");
    }
  }
}
