package dev.anneal.training.model;

import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Root mean square layer normalization (<a href="https://arxiv.org/abs/1910.07467">paper</a>). */
public final class RmsNorm {
  private RmsNorm() {}

  /**
   * {@code weight * x / sqrt(mean(x^2) + eps)} over the last dimension, the quotient in fp32.
   *
   * @param x {@code [T, D]}
   * @param weight {@code [D]}
   */
  public static Tensor rmsNorm(Tensor x, Tensor weight, double eps) {
    Tensor x32 = x.to(ScalarType.Float);
    Tensor variance = x32.mul(x32).mean(new long[] {-1}, true, new ScalarTypeOptional());
    Tensor normed = x32.mul(variance.add(Tensors.scalar(eps)).rsqrt());
    return weight.mul(normed.to(x.scalar_type()));
  }
}
