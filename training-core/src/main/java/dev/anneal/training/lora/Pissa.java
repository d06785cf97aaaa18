package dev.anneal.training.lora;

import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.StringViewOptional;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Principal singular values and singular vectors adaptation (<a
 * href="https://arxiv.org/abs/2404.02948">Meng et al. 2024</a>) with PEFT's arithmetic: {@code
 * scale * B A} begins as the part of a weight {@code W} with the largest singular values, and what
 * is left of the weight does not train.
 *
 * <p>Decompositions are made on the host: those of thin matrices take little, and a GPU has no part
 * in what they round.
 *
 * @see <a href="https://github.com/huggingface/peft/blob/main/src/peft/tuners/lora/layer.py">PEFT,
 *     {@code pissa_init}</a>
 */
public final class Pissa {
  private Pissa() {}

  /**
   * The principal part.
   *
   * @param a {@code [r, in]} in fp32 on the host
   * @param b {@code [out, r]} likewise
   */
  public record Factors(Tensor a, Tensor b) {}

  private record Svd(Tensor u, Tensor s, Tensor vh) {}

  /**
   * Takes the part out of a weight.
   *
   * @param weight {@code [out, in]} in fp32, on the device that searches
   * @param iterations see {@link LoraVariant.Pissa}
   * @param seed of the search
   */
  public static Factors of(Tensor weight, int r, double scale, int iterations, long seed) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Svd svd = iterations == 0 ? svd(weight.cpu()) : searched(weight, r, iterations, seed);
      Tensor root = svd.s().narrow(0, 0, r).div(Tensors.scalar(scale)).sqrt();
      Tensor a = svd.vh().narrow(0, 0, r).mul(root.unsqueeze(1));
      Tensor b = svd.u().narrow(1, 0, r).mul(root);
      return new Factors(scope.keep(a.contiguous()), scope.keep(b.contiguous()));
    }
  }

  private static Svd svd(Tensor matrix) {
    T_TensorTensorTensor_T parts = torch.linalg_svd(matrix, false, new StringViewOptional());
    return new Svd(parts.get0(), parts.get1(), parts.get2());
  }

  /**
   * As {@code torch.svd_lowrank(weight, r, iterations)} (<a
   * href="https://arxiv.org/abs/0909.4061">Halko et al. 2009</a>, algorithms 4.4 and 5.1).
   */
  private static Svd searched(Tensor weight, int r, int iterations, long seed) {
    boolean wide = weight.size(0) < weight.size(1);
    Tensor tall = wide ? weight.t() : weight;
    Tensor random = Tensors.normal(Tensors.empty(ScalarType.Float, tall.size(1), r), 1, seed);
    Tensor q = basis(tall.matmul(Tensors.like(weight, random)));
    for (int i = 0; i < iterations; i++) {
      q = basis(tall.t().matmul(Tensors.like(weight, q)));
      q = basis(tall.matmul(Tensors.like(weight, q)));
    }
    Svd small = svd(tall.t().matmul(Tensors.like(weight, q)).t().cpu());
    Tensor u = q.matmul(small.u());
    return wide ? new Svd(small.vh().t(), small.s(), u.t()) : new Svd(u, small.s(), small.vh());
  }

  /** Orthonormal columns that span those of {@code x [n, r]}, on the host. */
  private static Tensor basis(Tensor x) {
    return torch.linalg_qr(x.cpu()).get0();
  }

  /**
   * What is left of some rows of a weight.
   *
   * @param rows {@code [n, in]} of any floating-point dtype
   * @param a {@code [r, in]}
   * @param b {@code [n, r]}, of these rows
   * @return {@code [n, in]} in fp32
   */
  public static Tensor residual(Tensor rows, Tensor a, Tensor b, double scale) {
    Tensor part = b.to(ScalarType.Float).matmul(a.to(ScalarType.Float));
    return rows.to(ScalarType.Float).sub(part.mul_(Tensors.scalar(scale)));
  }
}
