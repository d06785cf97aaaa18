package dev.anneal.training.optim;

import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/** Clipping by the global norm, as {@code torch.nn.utils.clip_grad_norm_} does. */
public final class GradientClipping {
  private GradientClipping() {}

  /**
   * Scales {@code gradient} in place so that its L2 norm is at most {@code maxNorm}.
   *
   * @param maxNorm 0 or less: only measure
   * @return the norm before clipping
   */
  public static double clip(Tensor gradient, double maxNorm) {
    try (TensorScope scope = new TensorScope()) {
      double norm = gradient.norm().item_double();
      double factor = maxNorm / (norm + 1e-6);
      if (maxNorm > 0 && factor < 1) {
        gradient.mul_(Tensors.scalar(factor));
      }
      return norm;
    }
  }
}
