package dev.anneal.training.model;

import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;

/** Causal grouped-query attention in which a token sees only its own row. */
public final class Attention {
  private Attention() {}

  /**
   * {@code softmax(q k^T / sqrt(head_dim)) v} of every row on its own.
   *
   * @param q {@code [T, heads, head_dim]}
   * @param k {@code [T, kv_heads, head_dim]}
   * @param v like {@code k}
   * @param rowLengths lengths of the rows that lie end to end, summing to {@code T}
   * @return {@code [T, heads * head_dim]}
   */
  public static Tensor attention(Tensor q, Tensor k, Tensor v, int[] rowLengths) {
    Tensor[] rows = new Tensor[rowLengths.length];
    long start = 0;
    for (int row = 0; row < rows.length; row++) {
      long length = rowLengths[row];
      rows[row] =
          torch
              .scaled_dot_product_attention(
                  heads(q, start, length),
                  heads(k, start, length),
                  heads(v, start, length),
                  new TensorOptional(),
                  0.0,
                  true,
                  new DoubleOptional(),
                  true)
              .transpose(1, 2)
              .reshape(length, -1);
      start += length;
    }
    return Tensors.cat(rows);
  }

  /** {@code [1, heads, length, head_dim]} */
  private static Tensor heads(Tensor x, long start, long length) {
    return x.narrow(0, start, length).transpose(0, 1).unsqueeze(0);
  }
}
