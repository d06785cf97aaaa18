package dev.anneal.training.trainer;

import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** What becomes of steps whose loss or gradient is not finite; all ranks decide alike. */
final class NotFinite {
  /**
   * A broken row spoils one step an epoch, and a spike of the loss a few; weights that are broken
   * spoil every step from then on, and a run of nothing but skipped steps would look alive.
   */
  static final int MAX_SKIPPED = 20;

  private static final int MAX_NAMED = 16;

  private final TrainingSpec spec;
  private final GlobalBatches batches;
  private final int rank;
  private int skippedInARow;

  NotFinite(TrainingSpec spec, GlobalBatches batches, int rank, int skippedInARow) {
    this.spec = spec;
    this.batches = batches;
    this.rank = rank;
    this.skippedInARow = skippedInARow;
  }

  int skippedInARow() {
    return skippedInARow;
  }

  /**
   * Whether {@code totals} are not finite and the step is to be skipped.
   *
   * @param step counted from 0
   * @param losses {@code [gradient_accumulation]} fp64: of this rank's micro-batches
   * @throws NotFiniteException if it is not to be skipped
   */
  boolean skips(long step, StepTotals totals, Tensor losses) {
    if (totals.isFinite()) {
      skippedInARow = 0;
      return false;
    }
    skippedInARow++;
    if (spec.onNan() == TrainingSpec.OnNan.STOP || skippedInARow >= MAX_SKIPPED) {
      throw exception(step, totals, losses);
    }
    return true;
  }

  private NotFiniteException exception(long step, StepTotals totals, Tensor losses) {
    List<String> sequences =
        totals.brokenRanks().isEmpty() ? batches.describeAll(step) : broken(step, losses);
    String many =
        skippedInARow > 1
            ? ", as in the %d steps before, which were skipped".formatted(skippedInARow - 1)
            : "";
    return new NotFiniteException(
        "rank %d, step %d, %s%s: lower optimizer.learning_rate or check the data."
            .formatted(rank, step + 1, problem(totals, sequences), many),
        step + 1,
        sequences);
  }

  private String problem(StepTotals totals, List<String> sequences) {
    if (!totals.brokenRanks().isEmpty()) {
      return "the loss is %s, %s"
          .formatted(
              totals.loss(),
              sequences.isEmpty()
                  ? "which comes from rank " + totals.brokenRanks().get(0)
                  : "which comes from " + shown(sequences));
    }
    return Double.isFinite(totals.loss())
        ? "the gradient norm is %s, though the loss is finite, over %s"
            .formatted(totals.gradNorm(), shown(sequences))
        : "the loss is %s over %s".formatted(totals.loss(), shown(sequences));
  }

  /** The sequences of this rank's micro-batches whose own loss is not finite. */
  private List<String> broken(long step, Tensor losses) {
    List<String> sequences = new ArrayList<>();
    double[] each = Tensors.doubles(losses.cpu());
    for (int a = 0; a < each.length; a++) {
      if (!Double.isFinite(each[a])) {
        sequences.addAll(batches.describe(step, a));
      }
    }
    return sequences;
  }

  private static String shown(List<String> sequences) {
    int more = sequences.size() - MAX_NAMED;
    return more <= 0
        ? String.join(", ", sequences)
        : "%s and %d more".formatted(String.join(", ", sequences.subList(0, MAX_NAMED)), more);
  }
}
