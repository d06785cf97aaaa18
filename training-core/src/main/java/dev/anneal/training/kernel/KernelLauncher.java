package dev.anneal.training.kernel;

import dev.anneal.training.tensor.Device;
import java.util.List;
import java.util.Locale;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentMap;
import org.bytedeco.cuda.cudart.CUfunc_st;
import org.bytedeco.cuda.cudart.CUmod_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * Loads kernels into a device and starts them on the current stream of the calling thread, and
 * makes the tensors that they write.
 */
final class KernelLauncher implements AutoCloseable {
  private static final int SUCCESS = 0;
  private static final int FIRST_WITH_FP8 = 89;

  /** Dynamic shared memory that a kernel may have without asking for it. */
  private static final int UNASKED_SHARED_BYTES = 48 << 10;

  private final Device device;
  private final int capability;
  private final ConcurrentMap<KernelVariant, CUfunc_st> functions = new ConcurrentHashMap<>();
  private final Queue<CUmod_st> modules = new ConcurrentLinkedQueue<>();
  private final ThreadLocal<KernelLaunch> launches =
      ThreadLocal.withInitial(() -> new KernelLaunch(this));
  private final TensorOptions fp8;
  private final TensorOptions fp32;
  private final MemoryFormatOptional noFormat;

  /** For {@code device}, which must be the current one of every thread that calls. */
  KernelLauncher(Device device) {
    this.device = device;
    this.capability = capability(device);
    // makes the device's primary context current if nothing has yet
    check(cudart.cudaFree(null), "its context", device);
    // made once, since making them costs as much as a launch; close() lets go of them
    DeviceOptional where = new DeviceOptional(device.torch());
    fp8 = new TensorOptions(ScalarType.Float8_e4m3fn).device(where).retainReference();
    fp32 = new TensorOptions(ScalarType.Float).device(where).retainReference();
    noFormat = new MemoryFormatOptional().retainReference();
  }

  /** A chip's number: 90 for 9.0. */
  static int capability(Device device) {
    return 10 * attribute(device, cudart.cudaDevAttrComputeCapabilityMajor)
        + attribute(device, cudart.cudaDevAttrComputeCapabilityMinor);
  }

  static int attribute(Device device, int attribute) {
    int[] value = new int[1];
    int error = cudart.cudaDeviceGetAttribute(value, attribute, device.cuda());
    check(error, "its attributes", device);
    return value[0];
  }

  Tensor emptyFp32(long... shape) {
    return torch.empty(shape, fp32, noFormat);
  }

  /**
   * Room for an FP8 form.
   *
   * @throws KernelException if the chip has no FP8
   */
  Quantized emptyFp8(long rows, long width) {
    if (capability < FIRST_WITH_FP8) {
      throw new KernelException(
          String.format(
              Locale.ROOT,
              "FP8 products need a GPU of compute capability 8.9 or later, and this one has %.1f:"
                  + " set compute.matmul to bf16",
              capability / 10.0));
    }
    return new Quantized(torch.empty(new long[] {rows, width}, fp8, noFormat), emptyFp32(rows, 1));
  }

  /** The calling thread's next launch, to be filled and run before it asks for another one. */
  KernelLaunch kernel(String function) {
    return launches.get().of(function);
  }

  /** Starts a grid of {@code columns x rows} blocks on the calling thread's current stream. */
  void launch(
      KernelVariant variant,
      long columns,
      long rows,
      int threadsX,
      int threadsY,
      PointerPointer<Pointer> arguments) {
    CUfunc_st function = function(variant, 0);
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
              arguments,
              null);
    }
    checkLaunch(error, variant);
  }

  /**
   * Starts {@code blocks} blocks on a stream that the caller has.
   *
   * @param sharedBytes of dynamic shared memory, the same for every launch of the variant
   */
  void launch(
      KernelVariant variant,
      int blocks,
      int threads,
      int sharedBytes,
      PointerPointer<Pointer> arguments,
      CUstream_st stream) {
    CUfunc_st function = function(variant, sharedBytes);
    int error =
        cudart.cuLaunchKernel(
            function, blocks, 1, 1, threads, 1, 1, sharedBytes, stream, arguments, null);
    checkLaunch(error, variant);
  }

  private void checkLaunch(int error, KernelVariant variant) {
    if (error != SUCCESS) {
      check(error, "kernel " + variant, device);
    }
  }

  private CUfunc_st function(KernelVariant variant, int sharedBytes) {
    CUfunc_st function = functions.get(variant);
    if (function == null) {
      KernelVariant kept = new KernelVariant(variant.function(), List.copyOf(variant.macros()));
      function = functions.computeIfAbsent(kept, wanted -> load(wanted, sharedBytes));
    }
    return function;
  }

  private CUfunc_st load(KernelVariant variant, int sharedBytes) {
    byte[] cubin = KernelCompiler.cubin(variant, capability);
    String what = "kernel " + variant;
    try (PointerScope scope = new PointerScope()) {
      CUmod_st module = new CUmod_st();
      check(cudart.cuModuleLoadData(module, new BytePointer(cubin)), what, device);
      modules.add(module);
      CUfunc_st function = new CUfunc_st();
      check(cudart.cuModuleGetFunction(function, module, variant.function()), what, device);
      if (sharedBytes > UNASKED_SHARED_BYTES) {
        int most = cudart.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        check(cudart.cuFuncSetAttribute(function, most, sharedBytes), what, device);
      }
      return function;
    }
  }

  /** The driver's and the runtime's numbers of errors are the same. */
  private static void check(int error, String what, Device device) {
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
      check(cudart.cuModuleUnload(module), "unloading kernels", device);
    }
    fp8.releaseReference();
    fp32.releaseReference();
    noFormat.releaseReference();
  }
}
