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
  private final Ranks ranks;
  private int skippedInARow;

  NotFinite(TrainingSpec spec, GlobalBatches batches, Ranks ranks, int skippedInARow) {
    this.spec = spec;
    this.batches = batches;
    this.ranks = ranks;
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
   * @throws NotFiniteException if it is not to be skipped; says the same on every rank
   */
  boolean skips(long step, StepTotals totals, Tensor losses) {
    if (totals.isFinite()) {
      skippedInARow = 0;
      return false;
    }
    skippedInARow++;
    if (spec.updates().onNan() == TrainingSpec.OnNan.STOP || skippedInARow >= MAX_SKIPPED) {
      throw exception(step, totals, losses);
    }
    return true;
  }

  private NotFiniteException exception(long step, StepTotals totals, Tensor losses) {
    List<String> sequences =
        totals.brokenRanks().isEmpty() ? batches.describeAll(step) : broken(step, losses);
    String many =
        skippedInARow > 1
            ? ", as in the %s steps before, which were skipped".formatted(skippedInARow - 1)
            : "";
    return new NotFiniteException(
        "rank %s, step %s, %s%s: lower optimizer.learning_rate or check the data."
            .formatted(ranks.rank(), step + 1, problem(totals, sequences), many),
        step + 1,
        sequences);
  }

  private String problem(StepTotals totals, List<String> sequences) {
    if (!totals.brokenRanks().isEmpty()) {
      List<String> broken = totals.brokenRanks().stream().map("rank %s"::formatted).toList();
      return "the loss is %s, which comes from %s of %s"
          .formatted(totals.loss(), shown(sequences), shown(broken));
    }
    return Double.isFinite(totals.loss())
        ? "the gradient norm is %s, though the loss is finite, over %s"
            .formatted(totals.gradNorm(), shown(sequences))
        : "the loss is %s over %s".formatted(totals.loss(), shown(sequences));
  }

  /**
   * The sequences of the micro-batches whose own loss is not finite. Every rank learns of all, so
   * that whichever is heard first knows the cause.
   */
  private List<String> broken(long step, Tensor losses) {
    List<String> sequences = new ArrayList<>();
    double[] each = Tensors.doubles(ranks.world().allGather(losses).cpu());
    ranks.world().check();
    int accumulation = each.length / ranks.world().worldSize();
    for (int i = 0; i < each.length; i++) {
      if (!Double.isFinite(each[i])) {
        sequences.addAll(batches.describe(step, i / accumulation, i % accumulation));
      }
    }
    return sequences;
  }

  private static String shown(List<String> sequences) {
    int more = sequences.size() - MAX_NAMED;
    return more <= 0
        ? String.join(", ", sequences)
        : "%s and %s more".formatted(String.join(", ", sequences.subList(0, MAX_NAMED)), more);
  }
}
