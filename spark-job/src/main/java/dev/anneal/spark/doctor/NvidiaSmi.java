package dev.anneal.spark.doctor;

import java.util.List;
import java.util.stream.Collectors;

/** What NVIDIA's tool says of the GPUs of a host. */
final class NvidiaSmi {
  static final List<String> COMMAND =
      List.of(
          "nvidia-smi",
          "--query-gpu=name,memory.total,driver_version",
          "--format=csv,noheader,nounits");

  private NvidiaSmi() {}

  /**
   * The GPUs in a few words, as {@code 2 x NVIDIA H200, 140 GiB, driver 580.159.04}.
   *
   * @param output of {@link #COMMAND}: a line a GPU, its memory in MiB
   * @throws IllegalStateException if it tells of no GPU
   */
  static String summary(String output) {
    List<String> gpus = output.lines().map(String::strip).filter(line -> !line.isEmpty()).toList();
    if (gpus.isEmpty() || gpus.stream().anyMatch(gpu -> gpu.split(",", -1).length != 3)) {
      throw new IllegalStateException(output.lines().findFirst().orElse("nvidia-smi says nothing"));
    }
    return gpus.stream()
        .distinct()
        .map(gpu -> words(gpu, gpus.stream().filter(gpu::equals).count()))
        .collect(Collectors.joining("; "));
  }

  private static String words(String gpu, long count) {
    String[] fields = gpu.split(",", -1);
    String memory = fields[1].strip();
    String size = memory.matches("\\d+") ? Long.parseLong(memory) / 1024 + " GiB" : memory;
    return "%s x %s, %s, driver %s".formatted(count, fields[0].strip(), size, fields[2].strip());
  }
}
