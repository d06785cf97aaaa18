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
import dev.anneal.training.trainer.SpeedEstimate.Nodes;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A run whose memory is asked for, and the machines that it is for.
 *
 * @param config {@code cluster} says how many nodes and GPUs
 * @param nodes what is between them
 * @param gpu of which speed is known; empty for others
 */
public record PlanRequest(
    AnnealConfig config, Machine machine, Nodes nodes, Optional<GpuKind> gpu) {
  private static final Pattern RATE =
      Pattern.compile("(\\d{1,9}(?:\\.\\d{1,3})?)\\s*([MGT])BIT(?:/S)?");

  /**
   * A request as users give it.
   *
   * @param gpuMemory of a GPU, such as {@code 141GB}; {@code null}: as the smallest here
   * @param hostMemory of a host; {@code null}: as here where the GPUs are, else not known
   * @param network of a node, in a second, such as {@code 100Gbit}; {@code null}: the usual
   * @throws BadRequestException if no GPU takes part, or none is here and no memory is given
   */
  public static PlanRequest of(
      AnnealConfig config, String gpuMemory, String hostMemory, String network) {
    int gpus = config.cluster().gpusPerNode();
    if (gpus == 0) {
      throw new BadRequestException(
          "A plan is for GPUs, and cluster.gpus_per_node is 0: give their number on a node with --gpus N.");
    }
    Nodes nodes = nodes(gpus, network);
    if (gpuMemory == null) {
      Gpu here = smallestHere();
      Machine machine = new Machine(here.memoryBytes(), hostBytes(hostMemory, totalHere()), gpus);
      return new PlanRequest(config, machine, nodes, GpuKind.named(here.name()));
    }
    long gpuBytes = parse("--gpu-memory", gpuMemory);
    Machine machine = new Machine(gpuBytes, hostBytes(hostMemory, Long.MAX_VALUE), gpus);
    return new PlanRequest(config, machine, nodes, GpuKind.of(gpuBytes));
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

  private static Nodes nodes(int gpus, String network) {
    if (network == null) {
      return Nodes.of(gpus);
    }
    Matcher rate = RATE.matcher(network.strip().toUpperCase(Locale.ROOT));
    double bits = rate.matches() ? Double.parseDouble(rate.group(1)) : 0;
    if (bits == 0) {
      throw new BadRequestException(
          "--network is '%s', but must be a number of Mbit, Gbit or Tbit in a second, such as 100Gbit."
              .formatted(network));
    }
    int thousands = 2 + "MGT".indexOf(rate.group(2));
    return new Nodes(gpus, bits * Math.pow(1000, thousands) / Byte.SIZE);
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
