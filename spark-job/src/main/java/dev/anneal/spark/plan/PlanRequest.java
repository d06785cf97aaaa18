package dev.anneal.spark.plan;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.cuda.GpuException;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.trainer.MemoryPlan.Machine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A run whose memory is asked for, and the machines that it is for.
 *
 * @param config {@code cluster} says how many nodes and GPUs
 */
public record PlanRequest(AnnealConfig config, Machine machine) {
  private static final Path MEMINFO = Path.of("/proc/meminfo");

  /**
   * A request as users give it.
   *
   * @param gpuMemory of a GPU, such as {@code 141GB}; {@code null}: as the smallest here
   * @param hostMemory of a host; {@code null}: as here where the GPUs are, else not known
   * @throws BadRequestException if no GPU takes part, or none is here and no memory is given
   */
  public static PlanRequest of(AnnealConfig config, String gpuMemory, String hostMemory) {
    int gpus = config.cluster().gpusPerNode();
    if (gpus == 0) {
      throw new BadRequestException(
          "A plan is for GPUs, and cluster.gpus_per_node is 0: give their number on a node with --gpus N.");
    }
    long gpuBytes =
        gpuMemory == null ? smallestHere() : MemorySize.parse("--gpu-memory", gpuMemory);
    return new PlanRequest(config, new Machine(gpuBytes, hostBytes(gpuMemory, hostMemory), gpus));
  }

  private static long smallestHere() {
    try {
      return Gpus.find(1).stream().mapToLong(Gpu::memoryBytes).min().orElseThrow();
    } catch (GpuException e) {
      throw new BadRequestException(
          "No GPU is found here to plan for: give the memory of one with --gpu-memory, such as --gpu-memory 141GB.",
          e);
    }
  }

  private static long hostBytes(String gpuMemory, String hostMemory) {
    if (hostMemory != null) {
      return MemorySize.parse("--host-memory", hostMemory);
    }
    return gpuMemory == null ? here() : Long.MAX_VALUE;
  }

  private static long here() {
    try {
      return Files.readAllLines(MEMINFO).stream()
          .filter(line -> line.startsWith("MemTotal:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
          .findFirst()
          .orElse(Long.MAX_VALUE);
    } catch (IOException e) {
      return Long.MAX_VALUE;
    }
  }
}
