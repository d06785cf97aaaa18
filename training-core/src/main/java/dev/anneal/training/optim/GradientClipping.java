package dev.anneal.training.optim;

/** Clipping by the global norm, as {@code torch.nn.utils.clip_grad_norm_} does. */
public final class GradientClipping {
  private GradientClipping() {}

  /**
   * What to multiply a gradient of L2 norm {@code norm} with so that its norm is at most {@code
   * maxNorm}.
   *
   * @param maxNorm 0 or less: leave it
   */
  public static double factor(double norm, double maxNorm) {
    return maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
  }
}
