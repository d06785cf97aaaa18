package dev.anneal.training.fused;

import dev.anneal.training.model.CachedAttention;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/** Attention of one layer over what is kept of earlier tokens, forward alone. */
record CachedRowAttention(CachedAttention attention, int layer) implements RowAttention {
  @Override
  public Output forward(Tensor q, Tensor k, Tensor v, TokenBatch batch) {
    return new Output(attention.attend(layer, q, k, v).view(Tensors.shape(q)), null, null);
  }

  @Override
  public Gradients backward(
      Tensor dOutput, Tensor q, Tensor k, Tensor v, Output forward, TokenBatch batch) {
    throw new UnsupportedOperationException("tokens that go on from earlier ones do not train");
  }
}
