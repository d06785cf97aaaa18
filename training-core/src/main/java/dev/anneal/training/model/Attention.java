package dev.anneal.training.model;

import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

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
          row(q.narrow(0, start, length), k.narrow(0, start, length), v.narrow(0, start, length));
      start += length;
    }
    return Tensors.cat(rows);
  }

  /**
   * The same of one row, for the queries of its last tokens alone.
   *
   * @param q {@code [n, heads, head_dim]}, of the last {@code n} tokens
   * @param k {@code [m, kv_heads, head_dim]}, of all {@code m >= n}
   * @param v like {@code k}
   * @return {@code [n, heads * head_dim]}
   */
  public static Tensor row(Tensor q, Tensor k, Tensor v) {
    long queries = q.size(0);
    long keys = k.size(0);
    // libtorch's own causal mask lets the first query see the first key alone
    boolean causal = queries == keys;
    TensorOptional mask =
        causal || queries == 1
            ? new TensorOptional()
            : new TensorOptional(lastRows(q, queries, keys));
    return torch
        .scaled_dot_product_attention(
            heads(q), heads(k), heads(v), mask, 0.0, causal, new DoubleOptional(), true)
        .transpose(1, 2)
        .reshape(queries, -1);
  }

  /** {@code [n, m]} of bool: which of {@code m} tokens each of the last {@code n} sees. */
  private static Tensor lastRows(Tensor like, long n, long m) {
    Tensor all = Tensors.emptyLike(like, ScalarType.Bool, n, m).fill_(Tensors.scalar(1));
    return all.tril(m - n);
  }

  /** {@code [n, heads, head_dim]} to {@code [1, heads, n, head_dim]} */
  private static Tensor heads(Tensor x) {
    return x.transpose(0, 1).unsqueeze(0);
  }
}
