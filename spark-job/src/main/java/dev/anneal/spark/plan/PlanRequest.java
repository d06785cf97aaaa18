package dev.anneal.spark.plan;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.cuda.GpuException;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.host.HostMemory;
import dev.anneal.training.io.ByteSize;
import dev.anneal.training.trainer.MemoryPlan.Machine;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import java.util.Comparator;
import java.util.Optional;

/**
 * A run whose memory is asked for, and the machines that it is for.
 *
 * @param config {@code cluster} says how many nodes and GPUs
 * @param gpu of which speed is known; empty for others
 */
public record PlanRequest(AnnealConfig config, Machine machine, Optional<GpuKind> gpu) {

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
    if (gpuMemory == null) {
      Gpu here = smallestHere();
      Machine machine = new Machine(here.memoryBytes(), hostBytes(hostMemory, totalHere()), gpus);
      return new PlanRequest(config, machine, GpuKind.named(here.name()));
    }
    long gpuBytes = parse("--gpu-memory", gpuMemory);
    Machine machine = new Machine(gpuBytes, hostBytes(hostMemory, Long.MAX_VALUE), gpus);
    return new PlanRequest(config, machine, GpuKind.of(gpuBytes));
  }

  private static Gpu smallestHere() {
    try {
      return Gpus.find(1).stream().min(Comparator.comparingLong(Gpu::memoryBytes)).orElseThrow();
    } catch (GpuException e) {
      throw new BadRequestException(
          "No GPU is found here to plan for: give the memory of one with --gpu-memory, such as --gpu-memory 141GB.",
          e);
    }
  }

  /** Of this machine, or of the container that this process is in. */
  private static long totalHere() {
    return HostMemory.here().totalBytes();
  }

  private static long hostBytes(String hostMemory, long otherwise) {
    return hostMemory == null ? otherwise : parse("--host-memory", hostMemory);
  }

  private static long parse(String option, String text) {
    return ByteSize.parseWithUnit(text)
        .orElseThrow(
            () ->
                new BadRequestException(
                    "%s is '%s', but must be a number of MB, GB, TB, MiB, GiB or TiB, such as 141GB."
                        .formatted(option, text)));
  }
}
