package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/**
 * What all ranks together did in a step, the same on every rank.
 *
 * @param lossSum the objective, summed over what it is the mean of
 * @param gradientSquares the squares of all elements of the gradient, summed
 * @param work of the global batch
 * @param peakMemoryBytes of each rank
 * @param dataWaitMillis of the rank that read sequences for longest
 * @param signs what at least one rank said
 * @param brokenRanks the ranks whose own loss is not finite
 */
record StepTotals(
    double lossSum,
    double gradientSquares,
    Work work,
    List<Long> peakMemoryBytes,
    double dataWaitMillis,
    Set<Sign> signs,
    List<Integer> brokenRanks) {

  /** What a rank has to say to the others. */
  enum Sign {
    /** Its part of the last checkpoint is still being written. */
    WRITING(1),
    /** It was asked to leave. */
    STOP(2),
    /** It could not write its part of the checkpoint that holds the best adapter. */
    BEST_LOST(4);

    private final int bit;

    Sign(int bit) {
      this.bit = bit;
    }
  }

  /**
   * What a batch holds.
   *
   * @param targetTokens learned
   * @param tokens all
   * @param terms what the loss is the mean of: target tokens, or rows that have any
   */
  record Work(long targetTokens, long tokens, long terms) {
    static final Work NONE = new Work(0, 0, 0);

    Work plus(Work other) {
      return new Work(
          targetTokens + other.targetTokens, tokens + other.tokens, terms + other.terms);
    }
  }

  /** What a rank counts on the host. */
  record Counted(Work work, long peakMemoryBytes, double dataWaitMillis, Set<Sign> signs) {
    private Tensor tensor() {
      double signBits = signs.stream().mapToInt(sign -> sign.bit).sum();
      return Tensors.of(
          new double[] {
            work.targetTokens, work.tokens, work.terms, peakMemoryBytes, dataWaitMillis, signBits
          });
    }
  }

  /** Numbers of a rank: the two that are measured and six that are counted. */
  private static final int WIDTH = 8;

  /**
   * Adds up what the ranks did, in the order of the ranks. This is where a step waits for its
   * device.
   *
   * @param measured {@code [2]} fp64 on the rank's device: the rank's loss and squares
   */
  static StepTotals gather(Collectives world, Tensor measured, Counted counted) {
    try (TensorScope scope = new TensorScope()) {
      Tensor mine = Tensors.cat(measured, Tensors.like(measured, counted.tensor()));
      double[] all = Tensors.doubles(world.allGather(mine).cpu());
      // a lost peer ends the wait with numbers that mean nothing
      world.check();
      return of(all);
    }
  }

  private static StepTotals of(double[] all) {
    double lossSum = 0;
    double gradientSquares = 0;
    Work work = Work.NONE;
    List<Long> peakMemoryBytes = new ArrayList<>();
    double dataWaitMillis = 0;
    Set<Sign> signs = EnumSet.noneOf(Sign.class);
    List<Integer> brokenRanks = new ArrayList<>();
    for (int i = 0; i < all.length; i += WIDTH) {
      if (!Double.isFinite(all[i])) {
        brokenRanks.add(i / WIDTH);
      }
      lossSum += all[i];
      gradientSquares += all[i + 1];
      work = work.plus(new Work((long) all[i + 2], (long) all[i + 3], (long) all[i + 4]));
      peakMemoryBytes.add((long) all[i + 5]);
      dataWaitMillis = Math.max(dataWaitMillis, all[i + 6]);
      for (Sign sign : Sign.values()) {
        if (((int) all[i + 7] & sign.bit) != 0) {
          signs.add(sign);
        }
      }
    }
    return new StepTotals(
        lossSum, gradientSquares, work, peakMemoryBytes, dataWaitMillis, signs, brokenRanks);
  }

  /** The objective. */
  double loss() {
    return lossSum / work.terms;
  }

  /** Global L2 norm of the gradient of {@link #loss}. */
  double gradNorm() {
    return Math.sqrt(gradientSquares) / work.terms;
  }

  /** Of the rank that has held most. */
  long largestPeakMemoryBytes() {
    return peakMemoryBytes.stream().mapToLong(Long::longValue).max().orElse(0);
  }

  boolean isFinite() {
    return Double.isFinite(loss()) && Double.isFinite(gradNorm());
  }
}
