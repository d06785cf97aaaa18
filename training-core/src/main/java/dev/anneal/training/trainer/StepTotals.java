package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/**
 * What all ranks together did in a step.
 *
 * @param lossSum cross-entropy summed over the target tokens
 * @param gradientSquares the squares of all elements of the gradient, summed
 * @param peakMemoryBytes the largest of all
 */
record StepTotals(
    double lossSum, double gradientSquares, long targetTokens, long tokens, long peakMemoryBytes) {

  /**
   * Adds up what the ranks did, in the order of the ranks. This is where a step waits for its
   * device.
   *
   * @param measured {@code [2]} fp64 on the rank's device: the rank's loss and squares
   */
  static StepTotals gather(
      Collectives world, Tensor measured, long targetTokens, long tokens, long peakMemoryBytes) {
    try (TensorScope scope = new TensorScope()) {
      double[] counted = {targetTokens, tokens, peakMemoryBytes};
      Tensor mine = Tensors.cat(measured, Tensors.like(measured, Tensors.of(counted)));
      double[] all = Tensors.doubles(world.allGather(mine).cpu());
      // a lost peer ends the wait with numbers that mean nothing
      world.check();
      StepTotals totals = new StepTotals(0, 0, 0, 0, 0);
      for (int i = 0; i < all.length; i += 5) {
        totals =
            new StepTotals(
                totals.lossSum + all[i],
                totals.gradientSquares + all[i + 1],
                totals.targetTokens + (long) all[i + 2],
                totals.tokens + (long) all[i + 3],
                Math.max(totals.peakMemoryBytes, (long) all[i + 4]));
      }
      return totals;
    }
  }
}
