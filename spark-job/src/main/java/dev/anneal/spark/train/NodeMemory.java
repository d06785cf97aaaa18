package dev.anneal.spark.train;

import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.host.HostMemory;
import dev.anneal.training.trainer.MemoryPlan.Machine;
import dev.anneal.training.trainer.MemoryTable;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/**
 * The memory that a node's ranks find before they take any, as it goes round through Spark.
 *
 * @param host where it is
 * @param container what tells its container from others of the host
 * @param ranks of the node
 * @param machineFree bytes of the host, all nodes on it together
 * @param containerFree bytes that the container may still take; {@link Long#MAX_VALUE}: no limit
 * @param gpuTotal bytes of the node's smallest GPU; {@link Long#MAX_VALUE}: there is none
 * @param gpuFree bytes that the ranks can have of the GPU where they are the fewest, this process's
 *     own CUDA context among them
 * @param gpus the kind that all GPUs of the node are; empty where their speed is not known
 */
record NodeMemory(
    String host,
    String container,
    int ranks,
    long machineFree,
    long containerFree,
    long gpuTotal,
    long gpuFree,
    String gpus) {

  private static final long NOT_KNOWN = Long.MAX_VALUE;

  /**
   * What every rank can have of what all nodes have found, the same for all.
   *
   * @param machine the smallest, with what is free
   * @param gpuTotal bytes of the smallest GPU
   * @param ranksOfHost how many share a host's copies where they are the most
   * @param kind that all GPUs are; empty where their speed is not known
   */
  record Agreed(Machine machine, long gpuTotal, int ranksOfHost, Optional<GpuKind> kind) {}

  /** Of this process. */
  static NodeMemory here(String host, List<RankPlace> places) {
    HostMemory memory = HostMemory.here();
    List<GpuMemory> gpus =
        places.stream()
            .filter(place -> place.gpu() != null)
            .map(place -> new GpuMemory(place.device()))
            .toList();
    // page-locked memory of an earlier run is kept for later ones, and nobody says how much
    boolean used = gpus.stream().anyMatch(gpu -> gpu.peakReservedBytes() > 0);
    // on the host what an earlier run of this process had may still be its own, and is used again
    long own = gpus.isEmpty() ? memory.ownBytes() : 0;
    return new NodeMemory(
        host,
        Integer.toHexString(memory.container().hashCode()),
        places.size(),
        used ? NOT_KNOWN : withOwn(memory.machineFreeBytes(), own),
        used ? NOT_KNOWN : withOwn(memory.containerFreeBytes(), own),
        gpus.stream().mapToLong(GpuMemory::totalBytes).min().orElse(NOT_KNOWN),
        gpus.stream().mapToLong(NodeMemory::available).min().orElse(NOT_KNOWN),
        kindOf(places).map(GpuKind::name).orElse(""));
  }

  private static Optional<GpuKind> kindOf(List<RankPlace> places) {
    return GpuKind.ofAll(
        places.stream().map(RankPlace::gpu).map(gpu -> gpu == null ? "" : gpu.name()));
  }

  private static long withOwn(long freeBytes, long ownBytes) {
    return freeBytes == NOT_KNOWN ? NOT_KNOWN : freeBytes + ownBytes;
  }

  /** What others do not hold; the table counts this process's context among what it needs. */
  private static long available(GpuMemory gpu) {
    return Math.min(
        gpu.totalBytes(), gpu.freeBytes() + gpu.reservedBytes() + MemoryTable.CUDA_CONTEXT_BYTES);
  }

  /** The smallest of everything, a host's and a container's memory divided by their ranks. */
  static Agreed agree(List<NodeMemory> nodes) {
    long perRank = nodes.stream().mapToLong(node -> node.hostShare(nodes)).min().orElse(NOT_KNOWN);
    int ranks = nodes.get(0).ranks;
    long host = perRank == NOT_KNOWN ? NOT_KNOWN : perRank * ranks;
    return new Agreed(
        new Machine(nodes.stream().mapToLong(NodeMemory::gpuFree).min().orElse(0), host, ranks),
        nodes.stream().mapToLong(NodeMemory::gpuTotal).min().orElse(0),
        nodes.stream().mapToInt(node -> ranks(node.onHost(nodes))).max().orElse(ranks),
        GpuKind.ofAll(nodes.stream().map(NodeMemory::gpus)));
  }

  private List<NodeMemory> onHost(List<NodeMemory> nodes) {
    return nodes.stream().filter(node -> node.host.equals(host)).toList();
  }

  private static int ranks(List<NodeMemory> nodes) {
    return nodes.stream().mapToInt(NodeMemory::ranks).sum();
  }

  /** Of a rank. */
  private long hostShare(List<NodeMemory> nodes) {
    List<NodeMemory> onHost = onHost(nodes);
    List<NodeMemory> inContainer =
        onHost.stream().filter(node -> node.container.equals(container)).toList();
    return Math.min(
        share(onHost, onHost.stream().mapToLong(NodeMemory::machineFree)),
        share(inContainer, inContainer.stream().mapToLong(NodeMemory::containerFree)));
  }

  private static long share(List<NodeMemory> nodes, LongStream free) {
    long least = free.min().orElse(NOT_KNOWN);
    return least == NOT_KNOWN ? NOT_KNOWN : least / ranks(nodes);
  }

  String toText() {
    return LongStream.of(ranks, machineFree, containerFree, gpuTotal, gpuFree)
        .mapToObj(Long::toString)
        .collect(Collectors.joining(" ", "", " " + container + " " + host + " " + gpus));
  }

  static NodeMemory parse(String text) {
    // the kind may have spaces in it
    String[] parts = text.split(" ", 8);
    long[] numbers = Arrays.stream(parts).limit(5).mapToLong(Long::parseLong).toArray();
    return new NodeMemory(
        parts[6],
        parts[5],
        (int) numbers[0],
        numbers[1],
        numbers[2],
        numbers[3],
        numbers[4],
        parts[7]);
  }
}
