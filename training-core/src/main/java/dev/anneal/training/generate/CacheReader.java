package dev.anneal.training.generate;

import dev.anneal.training.model.Llama;
import dev.anneal.training.tensor.TensorScope;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Attention over the keys and values that a {@link KvCache} keeps. */
interface CacheReader {
  /**
   * One sequence in a pass.
   *
   * @param queryStart where its new tokens begin among those of the pass
   * @param queries how many there are
   * @param keyStart where its keys begin among those of all sequences
   * @param keys how many there are, those of the new tokens among them
   */
  record Row(long queryStart, long queries, long keyStart, long keys) {}

  /** One for {@code model}. */
  static CacheReader of(Llama model) {
    try (TensorScope scope = new TensorScope()) {
      return FlashReader.serves(model.emptyActivations(0), model.config().headDim())
          ? new FlashReader()
          : new PlainReader();
    }
  }

  /**
   * Readies the attention of one pass, in the current tensor scope.
   *
   * @param like a tensor of the device
   */
  Reading on(List<Row> rows, Tensor like);

  /** The attention of one pass, layer by layer. */
  interface Reading {
    /**
     * {@code softmax(q k^T / sqrt(head_dim)) v} of every row on its own, causal.
     *
     * @param q {@code [T, heads, head_dim]}, the last dimension contiguous
     * @param keys {@code [places, kv_heads, head_dim]} contiguous; {@code values} too
     * @return {@code [T, heads * head_dim]} contiguous
     */
    Tensor attend(Tensor q, Tensor keys, Tensor values);
  }
}
