package dev.anneal.training.fused;

import dev.anneal.training.model.Attention;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.Grads;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.tensor.WithGrad;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** The twin of {@link FlashAttention} by autograd over the reference, on any device and dtype. */
final class PlainAttention implements RowAttention {
  @Override
  public Output forward(Tensor q, Tensor k, Tensor v, TokenBatch batch) {
    return new Output(attention(q, k, v, batch).view(Tensors.shape(q)), null, null);
  }

  @Override
  public Gradients backward(
      Tensor dOutput, Tensor q, Tensor k, Tensor v, Output output, TokenBatch batch) {
    try (WithGrad withGrad = new WithGrad()) {
      List<Tensor> inputs = List.of(Tensors.leaf(q), Tensors.leaf(k), Tensors.leaf(v));
      Tensor again = attention(inputs.get(0), inputs.get(1), inputs.get(2), batch);
      Tensor[] grads = Grads.grad(again, inputs, dOutput.view(Tensors.shape(again)));
      return new Gradients(grads[0].contiguous(), grads[1].contiguous(), grads[2].contiguous());
    }
  }

  private static Tensor attention(Tensor q, Tensor k, Tensor v, TokenBatch batch) {
    return Attention.attention(q, k, v, batch.rowLengths());
  }
}
