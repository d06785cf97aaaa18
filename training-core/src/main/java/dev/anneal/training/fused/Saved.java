package dev.anneal.training.fused;

import dev.anneal.training.tensor.TensorScope;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;

/**
 * What a layer's backward reads of its forward. {@code T} rows each, {@code N} behind attention
 * ({@link LayerTokens}), in the compute dtype but for the norms' {@code rstd} and the softmax's
 * sums. What the norms give is not among it: it would be a seventh of all, and is computed again.
 *
 * @param x the layer's input, {@code [T, hidden_size]}
 * @param inputRstd of the norm before attention
 * @param qkv queries and keys rotated, and values, side by side
 * @param lowQkv {@code x A^T} of the adapters of q, k and v side by side, {@code [T, 0]} if there
 *     are none; the other {@code low}s likewise, of {@code N} rows
 * @param h the input of the MLP before its norm, {@code [N, hidden_size]}
 * @param postRstd of the norm before the MLP
 * @param gateUp {@code [N, 2 intermediate_size]}
 * @param lowDown empty where it is to be computed again, from what {@code gateUp} gives
 */
record Saved(
    Tensor x,
    Tensor inputRstd,
    Tensor qkv,
    Tensor lowQkv,
    RowAttention.Output attention,
    Tensor lowO,
    Tensor h,
    Tensor postRstd,
    Tensor gateUp,
    Tensor lowGateUp,
    Optional<Tensor> lowDown) {

  Saved withLowDown(Tensor lowDown) {
    return new Saved(
        x,
        inputRstd,
        qkv,
        lowQkv,
        attention,
        lowO,
        h,
        postRstd,
        gateUp,
        lowGateUp,
        Optional.of(lowDown));
  }

  /** The same of other tensors, in the order of {@link #tensors}. */
  Saved with(List<Tensor> tensors) {
    Iterator<Tensor> next = tensors.iterator();
    return new Saved(
        next.next(),
        next.next(),
        next.next(),
        next.next(),
        new RowAttention.Output(
            next.next(),
            attention.logsumexp() == null ? null : next.next(),
            attention.randomState() == null ? null : next.next()),
        next.next(),
        next.next(),
        next.next(),
        next.next(),
        next.next(),
        lowDown.map(low -> next.next()));
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
    Stream<Tensor> all =
        Stream.of(
            x,
            inputRstd,
            qkv,
            lowQkv,
            attention.output(),
            attention.logsumexp(),
            attention.randomState(),
            lowO,
            h,
            postRstd,
            gateUp,
            lowGateUp);
    // attention needs the two that may be null or not
    return Stream.concat(all.filter(Objects::nonNull), lowDown.stream()).toList();
  }
}
