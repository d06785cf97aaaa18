package dev.anneal.training.fused;

import dev.anneal.training.tensor.TensorScope;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/**
 * What a layer's backward reads of its forward, in the compute dtype but for the norms' {@code
 * rstd} and the softmax's sums. What the norms give is not among it: it would be a seventh of all,
 * and is computed again.
 *
 * @param attention of all tokens
 * @param mlp of those that go on behind attention
 */
record Saved(Attention attention, Mlp mlp) {
  /**
   * {@code T} rows each.
   *
   * @param x the layer's input, {@code [T, hidden_size]}
   * @param rstd of the norm before attention
   * @param qkv queries and keys rotated, and values, side by side
   * @param lowQkv {@code x A^T} of the adapters of q, k and v side by side, {@code [T, 0]} if there
   *     are none
   * @param output of attention
   */
  record Attention(Tensor x, Tensor rstd, Tensor qkv, Tensor lowQkv, RowAttention.Output output) {}

  /**
   * {@code N} rows each ({@link LayerTokens}).
   *
   * @param lowO as {@code lowQkv}, of o_proj; the other {@code low}s likewise
   * @param h the input of the MLP before its norm, {@code [N, hidden_size]}
   * @param rstd of that norm
   * @param gateUp {@code [N, 2 intermediate_size]}
   * @param lowDown empty where it is to be computed again, from what {@code gateUp} gives
   */
  record Mlp(
      Tensor lowO,
      Tensor h,
      Tensor rstd,
      Tensor gateUp,
      Tensor lowGateUp,
      Optional<Tensor> lowDown) {}

  Saved withLowDown(Tensor lowDown) {
    return new Saved(
        attention,
        new Mlp(mlp.lowO, mlp.h, mlp.rstd, mlp.gateUp, mlp.lowGateUp, Optional.of(lowDown)));
  }

  /** The same of other tensors, in the order of {@link #tensors}. */
  Saved with(List<Tensor> tensors) {
    Iterator<Tensor> next = tensors.iterator();
    RowAttention.Output output = attention.output;
    return new Saved(
        new Attention(
            next.next(),
            next.next(),
            next.next(),
            next.next(),
            new RowAttention.Output(
                next.next(),
                output.logsumexp() == null ? null : next.next(),
                output.randomState() == null ? null : next.next())),
        new Mlp(
            next.next(),
            next.next(),
            next.next(),
            next.next(),
            next.next(),
            mlp.lowDown.map(low -> next.next())));
  }

  /** Takes the tensors out of the scopes until {@link #close}. */
  Saved own() {
    tensors().forEach(TensorScope::own);
    return this;
  }

  void close() {
    tensors().forEach(Tensor::close);
  }

  /** Those that there are, in an order of their own. */
  List<Tensor> tensors() {
    RowAttention.Output output = attention.output;
    Stream<Tensor> all =
        Stream.of(
            attention.x,
            attention.rstd,
            attention.qkv,
            attention.lowQkv,
            output.output(),
            output.logsumexp(),
            output.randomState(),
            mlp.lowO,
            mlp.h,
            mlp.rstd,
            mlp.gateUp,
            mlp.lowGateUp);
    // attention needs the two that may be null or not
    return Stream.concat(all.filter(Objects::nonNull), mlp.lowDown.stream()).toList();
  }
}
