package dev.anneal.training.cuda;

import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.NativeLibraries;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.cuda.global.nccl;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;

/** What libtorch's build for GPUs takes from the node: the libraries of CUDA 13, cuDNN, NCCL. */
public final class CudaLibraries {
  /** By the names that the dynamic linker looks for, those of CUDA 13.0 to 13.2. */
  static final List<String> NEEDED =
      List.of(
          "libcudart.so.13",
          "libcublas.so.13",
          "libcublasLt.so.13",
          "libcusparse.so.12",
          "libcufft.so.12",
          "libcurand.so.10",
          "libcufile.so.0",
          "libcupti.so.13",
          "libnvrtc.so.13",
          "libcudnn.so.9",
          "libnccl.so.2");

  private CudaLibraries() {}

  /** How many there are. */
  public static int count() {
    return NEEDED.size();
  }

  /**
   * Loads each of them as libtorch does, by its name. They stay loaded.
   *
   * @return those that do not load, with the words of the dynamic linker
   */
  public static Map<String, String> missing() {
    return missing(NEEDED);
  }

  static Map<String, String> missing(List<String> names) {
    NativeLibraries.load(Pointer.class);
    Map<String, String> missing = new LinkedHashMap<>();
    for (String name : names) {
      try {
        Loader.loadGlobal(name);
      } catch (UnsatisfiedLinkError e) {
        missing.put(name, NativeErrors.firstLine(e));
      }
    }
    return missing;
  }

  /**
   * NCCL's version, as {@code 2.28.3}.
   *
   * @throws GpuException if it cannot be loaded
   */
  public static String ncclVersion() {
    try {
      NativeLibraries.load(nccl.class);
    } catch (LinkageError e) {
      throw Gpus.missing(e);
    }
    int[] code = new int[1];
    nccl.ncclGetVersion(code);
    return ncclVersion(code[0]);
  }

  /** As NCCL counts since 2.9: 10000 * major + 100 * minor + patch. */
  static String ncclVersion(int code) {
    return "%s.%s.%s".formatted(code / 10000, code / 100 % 100, code % 100);
  }
}
