package dev.anneal.training.fused;

import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.Operator;
import org.bytedeco.pytorch.Tensor;

/**
 * Attention by libtorch's build of <a href="https://arxiv.org/abs/2307.08691">FlashAttention-2</a>
 * over rows of different lengths; 16-bit dtypes on GPUs only.
 */
final class FlashAttention implements RowAttention {
  private static final Double NO_DROPOUT = 0.0;

  private final Operator forward = new Operator("aten::_flash_attention_forward");
  private final Operator backward = new Operator("aten::_flash_attention_backward");

  @Override
  public Output forward(Tensor q, Tensor k, Tensor v, TokenBatch batch) {
    long longest = batch.maxRowLength();
    Tensor starts = batch.rowStarts();
    Tensor[] results =
        forward.call(
            3,
            q,
            k,
            v,
            starts,
            starts,
            longest,
            longest,
            NO_DROPOUT,
            true,
            false,
            null,
            null,
            null,
            null,
            null);
    return new Output(results[0], results[1], results[2]);
  }

  @Override
  public Gradients backward(
      Tensor dOutput, Tensor q, Tensor k, Tensor v, Output output, TokenBatch batch) {
    long longest = batch.maxRowLength();
    Tensor starts = batch.rowStarts();
    Tensor[] grads =
        backward.call(
            3,
            dOutput,
            q,
            k,
            v,
            output.output(),
            output.logsumexp(),
            starts,
            starts,
            longest,
            longest,
            NO_DROPOUT,
            true,
            output.randomState(),
            output.randomState(),
            null,
            null,
            null);
    return new Gradients(grads[0], grads[1], grads[2]);
  }
}
