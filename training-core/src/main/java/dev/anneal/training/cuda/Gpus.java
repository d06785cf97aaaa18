package dev.anneal.training.cuda;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.NativeLibraries;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.cuda.cudart.cudaDeviceProp;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.pytorch.global.torch_cuda;
import org.bytedeco.pytorch.global.torch_nccl;

/** The GPUs that this process sees, found before libtorch is loaded. */
public final class Gpus {
  /** As CUDA counts: 1000 * major + 10 * minor. */
  private static final int CUDA_13 = 13000;

  private static final Path DRIVER_VERSION = Path.of("/proc/driver/nvidia/version");

  private static final Pattern MISSING_LIBRARY =
      Pattern.compile("(lib[^\\s/:]+): cannot open shared object file");

  private Gpus() {}

  /**
   * Finds the GPUs with CUDA alone.
   *
   * @return at least {@code needed} GPUs
   * @throws GpuException if the driver, a library or a GPU is missing
   */
  public static List<Gpu> find(int needed) {
    if (build() == Build.CPU) {
      throw new GpuException(
          "There are only the libraries for CPUs: use those for GPUs (./submit.sh --gpu), or set cluster.gpus_per_node=0.");
    }
    try {
      NativeLibraries.load(cudart.class);
      requireDriver(cudaVersionOfDriver(), driver(DRIVER_VERSION));
      List<Gpu> gpus = visible();
      requireEnough(needed, gpus.size(), System.getenv("CUDA_VISIBLE_DEVICES"));
      return gpus;
    } catch (LinkageError e) {
      throw missing(e);
    }
  }

  /** Finds the GPUs and loads libtorch for them; otherwise like {@link #find}. */
  public static List<Gpu> require(int needed) {
    List<Gpu> gpus = find(needed);
    try {
      NativeLibraries.load();
      NativeLibraries.load(torch_cuda.class, torch_nccl.class);
      return gpus;
    } catch (LinkageError e) {
      throw missing(e);
    }
  }

  /**
   * Makes {@code device} the current one of the calling thread, within what {@link MemoryLimit}
   * leaves of it.
   */
  public static void bind(Device device) {
    torch_cuda.set_device((byte) device.cuda());
    MemoryLimit.apply(device);
  }

  /** Which build of libtorch is on the class path. */
  public enum Build {
    /** for CPUs alone */
    CPU,
    /** for GPUs */
    GPU,
    /** none */
    NONE
  }

  /** The build on the class path of this process. */
  public static Build build() {
    if (NativeLibraries.areFor("linux-x86_64-gpu")) {
      return Build.GPU;
    }
    return NativeLibraries.areFor("linux-x86_64") ? Build.CPU : Build.NONE;
  }

  static void requireDriver(int cuda, String driver) {
    if (cuda == 0) {
      throw new GpuException(
          "There is no NVIDIA driver: install driver 580 or newer, or set cluster.gpus_per_node=0.");
    }
    if (cuda < CUDA_13) {
      throw new GpuException(
          "The NVIDIA driver %s serves CUDA %s.%s, but these libraries need CUDA 13: install driver 580 or newer, or NVIDIA's forward-compatibility package cuda-compat-13."
              .formatted(driver, cuda / 1000, cuda % 1000 / 10));
    }
  }

  static void requireEnough(int needed, int seen, String visible) {
    if (seen < needed) {
      String where = visible == null ? "" : " with CUDA_VISIBLE_DEVICES=" + visible;
      throw new GpuException(
          "There %s%s, but %s %s needed: lower cluster.gpus_per_node or give the executor more."
              .formatted(
                  seen == 1 ? "is 1 GPU" : "are %s GPUs".formatted(seen == 0 ? "no" : seen),
                  where,
                  needed,
                  needed == 1 ? "is" : "are"));
    }
  }

  static GpuException missing(LinkageError e) {
    return new GpuException(
        "%s: install CUDA 13 with cuDNN 9 and NCCL on the node and name their folders in LD_LIBRARY_PATH (docs/gpu.md)."
            .formatted(whatIsMissing(e)),
        e);
  }

  /** JavaCPP's outer messages name libraries of its own, a cause may name what they lack. */
  private static String whatIsMissing(LinkageError e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      Matcher library = MISSING_LIBRARY.matcher(String.valueOf(cause.getMessage()));
      if (library.find()) {
        return "The library %s is missing".formatted(library.group(1));
      }
    }
    return "A library of CUDA 13 cannot be loaded (%s)".formatted(NativeErrors.firstLine(e));
  }

  private static int cudaVersionOfDriver() {
    int[] version = new int[1];
    int error = cudart.cudaDriverGetVersion(version);
    return error == cudart.cudaSuccess ? version[0] : 0;
  }

  private static List<Gpu> visible() {
    int[] count = new int[1];
    int error = cudart.cudaGetDeviceCount(count);
    if (error != cudart.cudaSuccess && error != cudart.cudaErrorNoDevice) {
      throw new GpuException(
          "CUDA does not start: %s.".formatted(cudart.cudaGetErrorString(error).getString()));
    }
    String driver = driver(DRIVER_VERSION);
    List<Gpu> gpus = new ArrayList<>();
    for (int i = 0; i < count[0]; i++) {
      try (cudaDeviceProp properties = new cudaDeviceProp()) {
        cudart.cudaGetDeviceProperties(properties, i);
        long bytes = MemoryLimit.of(properties.totalGlobalMem());
        gpus.add(new Gpu(i, properties.name().getString(), bytes, driver));
      }
    }
    return gpus;
  }

  /** The version that the driver's file tells; {@code unknown} where it is not shown. */
  static String driver(Path file) {
    try {
      Matcher version =
          Pattern.compile("\\b\\d{3}\\.\\d+(\\.\\d+)?\\b").matcher(Files.readString(file));
      return version.find() ? version.group() : "unknown";
    } catch (IOException e) {
      return "unknown";
    }
  }
}
