package dev.anneal.spark.doctor;

import dev.anneal.spark.AnnealVersion;
import dev.anneal.training.cuda.CudaLibraries;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.tensor.NativeLibraries;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;

/** Whether libtorch loads, and what its build for GPUs needs. */
final class LibraryChecks {
  /** The first process of a host unpacks 0.4 GB, or 1 GB for GPUs, and others wait for it. */
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private LibraryChecks() {}

  /**
   * Adds them.
   *
   * @param gpus that a rank's process must have; 0 where the process trains on the CPU
   */
  static void addForRanks(Looks looks, int gpus) {
    looks.require("libtorch", LIMIT, () -> libtorch(gpus), LibraryChecks::sentence);
    addCuda(looks);
  }

  /** Adds which build a driver has, which does not train. */
  static void addForDriver(Looks looks) {
    looks.add("libtorch", LibraryChecks::build);
  }

  private static String build() {
    return Gpus.build() == Gpus.Build.NONE
        ? "none"
        : AnnealVersion.libtorch() + " " + Gpus.build().name().toLowerCase(Locale.ROOT);
  }

  private static String libtorch(int gpus) {
    if (Gpus.build() == Gpus.Build.NONE) {
      throw new IllegalStateException(
          "The native libraries of libtorch are not on the class path: send them with --jars, or name their folder with --native-dir.");
    }
    long start = System.nanoTime();
    if (gpus > 0) {
      Gpus.require(gpus);
    } else {
      NativeLibraries.load();
    }
    return String.format(Locale.ROOT, "%s, %.1f s", build(), (System.nanoTime() - start) / 1e9);
  }

  private static String sentence(String cause) {
    return cause.endsWith(".")
        ? cause
        : "libtorch does not load (%s): check the native libraries (--native-dir, or the jars that are sent) and the memory of the process."
            .formatted(cause);
  }

  private static void addCuda(Looks looks) {
    if (Gpus.build() != Gpus.Build.GPU) {
      looks.put("cuda libraries", Finding.of("not needed"));
      looks.put("nccl", Finding.of("not needed"));
      return;
    }
    looks.require(
        "cuda libraries",
        LIMIT,
        LibraryChecks::cuda,
        missing ->
            "%s: install CUDA 13 with cuDNN 9 and NCCL on the node and name their folders in LD_LIBRARY_PATH (docs/gpu.md)."
                .formatted(missing));
    looks.add("nccl", LIMIT, CudaLibraries::ncclVersion);
  }

  private static String cuda() {
    Map<String, String> missing = CudaLibraries.missing();
    if (!missing.isEmpty()) {
      throw new IllegalStateException(
          "These libraries do not load: " + String.join(", ", missing.keySet()));
    }
    return "all %s load".formatted(CudaLibraries.count());
  }
}
