package dev.anneal.training.model;

import dev.anneal.training.tensor.Seeds;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Dropout whose mask depends only on the micro-batch, the layer and the module: recomputing a layer
 * drops the same elements again, and so does another world size.
 *
 * @param p probability of dropping an element; 0 does nothing
 * @param seed of the micro-batch
 */
public record Dropout(double p, long seed) {

  /** Drops nothing: evaluation, generation. */
  public static final Dropout NONE = new Dropout(0, 0);

  Tensor apply(Tensor x, int layer, LinearModule module) {
    if (p == 0) {
      return x;
    }
    long stream = Seeds.mix(seed, module.loraAName(layer).hashCode());
    Tensor mask = Tensors.bernoulli(torch.empty_like(x), 1 - p, stream);
    return x.mul(mask.mul(Tensors.scalar(1 / (1 - p))));
  }
}
