package dev.anneal.training.fused;

import dev.anneal.training.Rows;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Random queries, keys and values side by side as a layer has them, and a gradient of the output.
 *
 * @param qkv {@code [T, (heads + 2 kv_heads) head_dim]} bf16, on a GPU
 * @param dOutput {@code [T, heads, head_dim]} bf16
 */
record AttentionSample(
    int heads, int kvHeads, int headDim, TokenBatch batch, Tensor qkv, Tensor dOutput) {
  /** On {@code device}. */
  static AttentionSample of(Device device, int heads, int kvHeads, int headDim, int... lengths) {
    TokenBatch batch = TokenBatch.of(Rows.random(100, 5, lengths)).on(device);
    long tokens = Arrays.stream(lengths).sum();
    Tensor qkv =
        Tensors.empty(device, ScalarType.BFloat16, tokens, (heads + 2L * kvHeads) * headDim);
    Tensor dOutput = Tensors.empty(device, ScalarType.BFloat16, tokens, heads, headDim);
    return new AttentionSample(
        heads, kvHeads, headDim, batch, Tensors.normal(qkv, 1, 1), Tensors.normal(dOutput, 1, 2));
  }

  Tensor q() {
    return part(0, heads);
  }

  Tensor k() {
    return part(heads, kvHeads);
  }

  Tensor v() {
    return part(heads + kvHeads, kvHeads);
  }

  private Tensor part(long first, long count) {
    return qkv.narrow(1, first * headDim, count * headDim).unflatten(1, count, headDim);
  }

  RowAttention.Output forward(RowAttention attention) {
    return attention.forward(q(), k(), v(), batch);
  }

  RowAttention.Gradients backward(RowAttention attention, RowAttention.Output forward) {
    return attention.backward(dOutput, q(), k(), v(), forward, batch);
  }

  /** Output, {@code dQ}, {@code dK} and {@code dV}. */
  Tensor[] compute(RowAttention attention) {
    RowAttention.Output output = forward(attention);
    RowAttention.Gradients gradients = backward(attention, output);
    return new Tensor[] {output.output(), gradients.dQ(), gradients.dK(), gradients.dV()};
  }

  /** The same in fp32. */
  AttentionSample exact() {
    return new AttentionSample(
        heads, kvHeads, headDim, batch, qkv.to(ScalarType.Float), dOutput.to(ScalarType.Float));
  }

  /** Operations of a forward: two products, of which each query needs the keys before it. */
  double forwardOperations() {
    return Arrays.stream(batch.rowLengths()).mapToDouble(n -> 2.0 * n * n).sum() * heads * headDim;
  }
}
