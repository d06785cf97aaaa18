package dev.anneal.training.fused;

import dev.anneal.training.model.TokenBatch;
import org.bytedeco.pytorch.Tensor;

/**
 * The tokens of a micro-batch in a layer. All of them are attended to; but of the last layer's
 * output only that of tokens from which others are predicted is ever read, {@code N} of {@code T},
 * so there the others, all of a prompt but its last token, go no further than attention.
 *
 * @param angles {@code [T, head_dim]} fp32, cosines and sines
 * @param areSome whether only the predictors go on
 */
record LayerTokens(TokenBatch batch, Tensor angles, boolean areSome) {
  /**
   * Leaving out fewer would not pay for picking the others, nor would what is left out make up for
   * the copies in memory ({@link FusedMemory}).
   */
  private static final double MOST = 0.7;

  static LayerTokens ofLast(TokenBatch batch, Tensor angles) {
    long predictors = batch.targetTokens();
    return new LayerTokens(batch, angles, 0 < predictors && predictors <= MOST * batch.tokens());
  }

  static LayerTokens all(TokenBatch batch, Tensor angles) {
    return new LayerTokens(batch, angles, false);
  }

  /**
   * Those that go on.
   *
   * @param x {@code [T, D]}
   * @return {@code [N, D]} in the current tensor scope, or {@code x} itself
   */
  Tensor select(Tensor x) {
    return areSome ? x.index_select(0, batch.predictors()) : x;
  }

  /**
   * The reverse: their rows at their places, zeros elsewhere.
   *
   * @param rows {@code [N, D]}
   * @return {@code [T, D]} in the current tensor scope, or {@code rows} itself
   */
  Tensor spread(Tensor rows) {
    return areSome ? batch.spread(rows) : rows;
  }
}
