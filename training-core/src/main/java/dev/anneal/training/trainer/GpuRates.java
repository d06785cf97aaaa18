package dev.anneal.training.trainer;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * How fast a kind of GPU does each kind of a step's work, and its host for it: the one table that
 * {@link SpeedEstimate} is calibrated by. Products and copies were measured alone (design.md,
 * section 7; docs/performance.md, "Bounds"); what holds for a whole step was fitted to whole steps
 * on H200s (docs/plan.md says which). H100s were lent for products and copies only: what goes
 * through memory is the H200's in the ratio of their memories' data sheets, 3.35 to 4.8 TB/s, and
 * the rest is the H200's.
 *
 * @param kind which GPUs it is of
 * @param work of the GPU itself
 * @param traffic to the GPU
 * @param layerCalls seconds that a rank's thread takes to enqueue the forward and backward of a
 *     layer with adapters on all seven modules
 */
record GpuRates(Kind kind, Work work, Traffic traffic, double layerCalls) {
  /**
   * A kind of GPU.
   *
   * @param name as NVIDIA writes it, in part
   * @param leastBytes of memory that a GPU of this kind has
   * @param mostBytes likewise
   */
  record Kind(String name, long leastBytes, long mostBytes) {}

  /**
   * What a GPU does by itself.
   *
   * @param fp8 operations a second of products of frozen weights in FP8, at full clock
   * @param bf16 likewise in bf16
   * @param head operations a second of the head's products with the loss between them
   * @param flash operations a second of FlashAttention with its deterministic backward, half of the
   *     square counted
   * @param cudnn the same of cuDNN's attention, of rows without end; {@link #cudnn(double)}
   * @param memory bytes a second of what only reads and writes
   * @param throttle a step's time beside the sum of its kernels' at full clock: the power limit
   *     lowers the clock
   */
  record Work(
      double fp8,
      double bf16,
      double head,
      double flash,
      double cudnn,
      double memory,
      double throttle) {
    /** Tokens of a row at which cuDNN's attention is half as fast as at rows without end. */
    private static final double HALF_CUDNN_ROW = 858;

    /** Operations a second of cuDNN's attention of rows of {@code length} tokens. */
    double cudnn(double length) {
      return cudnn * length / (length + HALF_CUDNN_ROW);
    }
  }

  /**
   * What comes to a GPU, in bytes a second.
   *
   * @param hostCopies from page-locked memory of the host to one GPU
   * @param hostCopiesOfAll to all GPUs of a host together
   * @param nvlink that a GPU receives of an all-gather
   */
  record Traffic(double hostCopies, double hostCopiesOfAll, double nvlink) {}

  private static final Traffic TRAFFIC = new Traffic(53e9, 66e9, 508e9);

  private static final GpuRates H200 =
      new GpuRates(
          new Kind("H200", 138_000_000_000L, 152_000_000_000L),
          new Work(1494e12, 790e12, 812e12, 166e12, 493e12, 3.3e12, 1.11),
          TRAFFIC,
          1.2e-3);

  private static final GpuRates H100 =
      new GpuRates(
          new Kind("H100 80GB", 79_000_000_000L, 86_000_000_000L),
          new Work(1461e12, 790e12, 812e12, 166e12, 493e12, 2.3e12, 1.11),
          TRAFFIC,
          1.2e-3);

  private static final List<GpuRates> ALL = List.of(H100, H200);

  /** Of a GPU of this name, such as {@code NVIDIA H100 80GB HBM3}; none where it is another. */
  static Optional<GpuRates> named(String name) {
    String upper = name.toUpperCase(Locale.ROOT);
    return ALL.stream().filter(rates -> upper.contains(rates.kind.name())).findFirst();
  }

  /** Of the kind that has so much memory; none where neither has. */
  static Optional<GpuRates> of(long memoryBytes) {
    return ALL.stream()
        .filter(
            rates ->
                memoryBytes >= rates.kind.leastBytes() && memoryBytes <= rates.kind.mostBytes())
        .findFirst();
  }
}
