package dev.anneal.training.fused;

import dev.anneal.training.model.TokenBatch;
import org.bytedeco.pytorch.Tensor;

/** Causal grouped-query attention in which a token sees only its own row, forward and backward. */
interface RowAttention {
  /**
   * The result of {@link #forward}.
   *
   * @param output {@code [T, heads, head_dim]} contiguous
   * @param logsumexp what the backward needs of the softmax; {@code null} if nothing
   * @param randomState what the backward asks for, though nothing is drawn; {@code null} if nothing
   */
  record Output(Tensor output, Tensor logsumexp, Tensor randomState) {}

  /** The gradients, each contiguous in the shape of its tensor. */
  record Gradients(Tensor dQ, Tensor dK, Tensor dV) {}

  /**
   * {@code softmax(q k^T / sqrt(head_dim)) v} of every row on its own.
   *
   * @param q {@code [T, heads, head_dim]}, the last dimension contiguous
   * @param k {@code [T, kv_heads, head_dim]}, likewise; {@code v} too
   */
  Output forward(Tensor q, Tensor k, Tensor v, TokenBatch batch);

  Gradients backward(
      Tensor dOutput, Tensor q, Tensor k, Tensor v, Output forward, TokenBatch batch);

  /**
   * Says of a batch to come how long its rows are, for those that can ready something meanwhile.
   */
  default void expect(int[] rowLengths) {}
}
