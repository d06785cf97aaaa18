package dev.anneal.training.model;

import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Weight-decomposed low-rank adaptation (<a href="https://arxiv.org/abs/2402.09353">Liu et al.
 * 2024</a>) with PEFT's arithmetic: a module's weight is {@code m * V / |V|} with {@code V = W +
 * scale * B A}, the length {@code |V|} and the trained magnitude {@code m} row by row. No gradient
 * goes through {@code |V|} (section 4.3 of the paper).
 *
 * @see <a href="https://github.com/huggingface/peft/blob/main/src/peft/tuners/lora/dora.py">PEFT,
 *     {@code DoraLinearLayer}</a>
 */
public final class Dora {
  /** Values of a weight that are held in fp32 at a time, twice: 256 MB. */
  static final long PIECE_ELEMENTS = 1L << 26;

  private Dora() {}

  /**
   * {@code y + (m / |V| - 1) * base + m / |V| * scale * dropped A^T B^T}. With dropout, PEFT drops
   * of what the length changes too.
   *
   * @param dropped {@code [T, in]}
   * @param y {@code x W^T [T, out]}
   * @param base the same of {@code dropped}
   * @param weight {@code W [out, in]}
   * @return {@code [T, out]}
   */
  static Tensor linear(
      Tensor dropped, Tensor y, Tensor base, Tensor weight, LayerAdapters.Pair pair) {
    ScalarType type = y.scalar_type();
    Tensor length = lengths(weight, pair.a(), pair.b(), pair.scale());
    Tensor factor = pair.magnitude().div(length);
    Tensor low = torch.linear(dropped, pair.a().to(type));
    Tensor lora = torch.linear(low, pair.b().to(type));
    // rounded to bf16, the small difference from 1 keeps more digits than the factor
    Tensor change = factor.sub(Tensors.scalar(1)).to(type);
    Tensor scaled = factor.mul(Tensors.scalar(pair.scale())).to(type);
    return y.add(base.mul(change)).add(lora.mul(scaled));
  }

  /**
   * The lengths of the rows of {@code W + scale * B A}, without gradients.
   *
   * @param weight {@code W [out, in]} of any floating-point dtype
   * @param a {@code [r, in]} in fp32
   * @param b {@code [out, r]} in fp32
   * @return {@code [out]} in fp32, in the current tensor scope
   */
  public static Tensor lengths(Tensor weight, Tensor a, Tensor b, double scale) {
    return lengths(weight, a, b, scale, PIECE_ELEMENTS);
  }

  static Tensor lengths(Tensor weight, Tensor a, Tensor b, double scale, long pieceElements) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      long rows = weight.size(0);
      long piece = Math.max(1, pieceElements / weight.size(1));
      Tensor lengths = Tensors.emptyLike(a, rows);
      for (long first = 0; first < rows; first += piece) {
        try (TensorScope inner = new TensorScope()) {
          long count = Math.min(piece, rows - first);
          Tensor some = weight.narrow(0, first, count).to(ScalarType.Float);
          Tensor added = b.narrow(0, first, count).matmul(a);
          lengths
              .narrow(0, first, count)
              .copy_(ofRows(added.mul_(Tensors.scalar(scale)).add_(some)));
        }
      }
      return scope.keep(lengths);
    }
  }

  /**
   * The lengths of the rows of {@code v [R, D]}, in fp32.
   *
   * @return {@code [R]}
   */
  public static Tensor ofRows(Tensor v) {
    return v.square().sum(new long[] {1}).sqrt_();
  }
}
