package dev.anneal.training.checkpoint;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.io.JsonObject;

/**
 * What the evaluations of a run have found so far. Steps are optimizer steps done; losses are
 * cross-entropies over the target tokens of the held-out rows.
 *
 * @param step of the last evaluation; 0 before the first, at which nothing has been trained
 * @param bestStep of the smallest loss, the first of several
 * @param bestLoss NaN before the first
 * @param gainLoss of the last evaluation that was a gain, with which the next are compared; NaN
 *     before the first
 * @param withoutGain evaluations since that one
 */
public record EvaluationState(
    long step, long bestStep, double bestLoss, double gainLoss, int withoutGain) {
  /** Before the first evaluation, and of runs that make none on the way. */
  public static final EvaluationState NONE = new EvaluationState(0, 0, Double.NaN, Double.NaN, 0);

  /**
   * @throws IllegalArgumentException if the numbers contradict each other
   */
  public EvaluationState {
    boolean isFirst = step == 0;
    boolean fits =
        isFirst
            ? bestStep == 0 && Double.isNaN(bestLoss) && Double.isNaN(gainLoss) && withoutGain == 0
            : bestStep > 0
                && bestStep <= step
                && Double.isFinite(bestLoss)
                && gainLoss >= bestLoss
                && Double.isFinite(gainLoss)
                && withoutGain >= 0
                && withoutGain < step;
    if (!fits) {
      throw new IllegalArgumentException(
          "evaluation: no run is at step %s with its best %s at step %s, the last gain %s and %s without"
              .formatted(step, bestLoss, bestStep, gainLoss, withoutGain));
    }
  }

  /**
   * The same after one more evaluation.
   *
   * @param minDelta how much the loss must fall since the last gain to be another; a loss that is
   *     no smaller never is
   */
  public EvaluationState after(long evaluated, double loss, double minDelta) {
    boolean best = step == 0 || loss < bestLoss;
    boolean gain = step == 0 || (loss < gainLoss && gainLoss - loss >= minDelta);
    return new EvaluationState(
        evaluated,
        best ? evaluated : bestStep,
        best ? loss : bestLoss,
        gain ? loss : gainLoss,
        gain ? 0 : withoutGain + 1);
  }

  void addTo(ObjectNode json) {
    json.put("step", step)
        .put("best_step", bestStep)
        .put("best_loss", bestLoss)
        .put("gain_loss", gainLoss)
        .put("without_gain", withoutGain);
  }

  static EvaluationState of(JsonObject json) {
    StrictJson.requireKeys(json, "step", "best_step", "best_loss", "gain_loss", "without_gain");
    return new EvaluationState(
        json.longNumber("step"),
        json.longNumber("best_step"),
        json.number("best_loss"),
        json.number("gain_loss"),
        json.intNumber("without_gain"));
  }
}
