package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;

/**
 * What a rank, or all ranks together, did in a step.
 *
 * @param lossSum cross-entropy summed over the target tokens
 * @param peakMemoryBytes the largest of all
 */
record StepTotals(double lossSum, long targetTokens, long tokens, long peakMemoryBytes) {

  StepTotals plus(StepTotals other) {
    return new StepTotals(
        lossSum + other.lossSum,
        targetTokens + other.targetTokens,
        tokens + other.tokens,
        Math.max(peakMemoryBytes, other.peakMemoryBytes));
  }

  /** The totals over all ranks, summed in the order of the ranks. */
  StepTotals gather(Collectives collectives) {
    try (TensorScope scope = new TensorScope()) {
      double[] mine = {lossSum, targetTokens, tokens, peakMemoryBytes};
      double[] all = Tensors.doubles(collectives.allGather(Tensors.of(mine)));
      StepTotals totals = new StepTotals(0, 0, 0, 0);
      for (int i = 0; i < all.length; i += mine.length) {
        totals =
            totals.plus(
                new StepTotals(all[i], (long) all[i + 1], (long) all[i + 2], (long) all[i + 3]));
      }
      return totals;
    }
  }
}
