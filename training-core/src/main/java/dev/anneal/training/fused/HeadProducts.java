package dev.anneal.training.fused;

/** What the products of a frozen head are computed in, while it trains. */
public enum HeadProducts {
  /** the compute dtype */
  EXACT,
  /** FP8 for the gradient of the hidden states; the loss is exact */
  FP8_BACKWARD,
  /** FP8 for the logits too, so that the loss is another one */
  FP8
}
