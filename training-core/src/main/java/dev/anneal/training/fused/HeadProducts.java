package dev.anneal.training.fused;

import dev.anneal.training.model.Objective;

/** What the products of a frozen head are computed in, while it trains. */
public enum HeadProducts {
  /** the compute dtype */
  EXACT,
  /** FP8 for the gradient of the hidden states; the loss is exact */
  FP8_BACKWARD,
  /** FP8 for the logits too, so that the loss is another one */
  FP8;

  /**
   * What they are computed in for an objective. With smoothed labels they are exact: what these add
   * to the gradient is a row of the head itself.
   */
  public HeadProducts during(Objective objective) {
    return objective.labelSmoothing() > 0 ? EXACT : this;
  }
}
