package dev.anneal.training.model;

import org.bytedeco.pytorch.Tensor;

/** Causal grouped-query attention of new tokens over themselves and those before them. */
public interface CachedAttention {
  /**
   * Keeps the new tokens' keys and values, and attends over all that are kept.
   *
   * @param layer whose they are
   * @param q {@code [T, heads, head_dim]}, rotated to the tokens' positions, the last dimension
   *     contiguous
   * @param k {@code [T, kv_heads, head_dim]}, likewise
   * @param v {@code [T, kv_heads, head_dim]}
   * @return {@code [T, heads * head_dim]} contiguous, in the current tensor scope
   */
  Tensor attend(int layer, Tensor q, Tensor k, Tensor v);
}
