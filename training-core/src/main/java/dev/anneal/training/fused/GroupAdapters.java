package dev.anneal.training.fused;

import dev.anneal.training.kernel.LowRank;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The adapters of one module group in one layer. The modules read the same input, so their {@code
 * A}s are one matrix and their low-rank activations lie side by side.
 *
 * @param a {@code [R, in]}, the adapted modules' {@code A}s; {@code null} if none is adapted
 * @param dA its gradient
 * @param factors the adapted modules
 * @param scale the factor of the adapters' output
 */
record GroupAdapters(Tensor a, Tensor dA, List<Factor> factors, Scalar scale) {
  /**
   * One adapted module.
   *
   * @param b {@code [out, r]}
   * @param dB its gradient
   * @param column where the module's outputs begin among those of the group
   * @param low where its low-rank activations begin
   */
  record Factor(Tensor b, Tensor dB, long column, long low) {
    Tensor outputs(Tensor y) {
      return y.narrow(1, column, b.size(0));
    }

    Tensor lows(Tensor low) {
      return low.narrow(1, this.low, b.size(1));
    }
  }

  private static final double NO_BETA = 0;

  boolean isEmpty() {
    return factors.isEmpty();
  }

  /** {@code x A^T}, {@code [T, R]}; {@code null} if no module is adapted. */
  Tensor low(Tensor x) {
    return isEmpty() ? null : torch.mm(x, a.t());
  }

  /** {@code y += scale * low B^T} of every module. */
  void addTo(Tensor y, Tensor low) {
    for (Factor factor : factors) {
      factor.outputs(y).addmm_(factor.lows(low), factor.b().t(), Tensors.scalar(1), scale);
    }
  }

  /**
   * What the module whose outputs begin at {@code column} of the group's adds to them; {@code null}
   * if it is not adapted.
   */
  LowRank added(long column, Tensor low) {
    for (Factor factor : factors) {
      if (factor.column() == column) {
        return new LowRank(factor.lows(low), factor.b(), scale.toDouble());
      }
    }
    return null;
  }

  /** {@code scale * dY B} of every module, side by side, {@code [T, R]}. */
  Tensor dLow(Tensor dY) {
    if (isEmpty()) {
      return null;
    }
    Tensor dLow = Tensors.emptyLike(dY, dY.size(0), a.size(0));
    for (Factor factor : factors) {
      product(factor.lows(dLow), factor.outputs(dY), factor.b());
    }
    return dLow;
  }

  /** {@code dX += dLow A}. */
  void addInputGradient(Tensor dX, Tensor dLow) {
    if (!isEmpty()) {
      dX.addmm_(dLow, a);
    }
  }

  /** {@code dLow A}, what the group adds to the gradient of its input. */
  LowRank addedToInputGradient(Tensor dLow) {
    return isEmpty() ? null : new LowRank(dLow, a.t(), 1);
  }

  /** Writes the gradients of {@code A} and {@code B}. */
  void gradients(Tensor x, Tensor low, Tensor dY, Tensor dLow) {
    if (isEmpty()) {
      return;
    }
    torch.mm_out(dA, dLow.t(), x);
    for (Factor factor : factors) {
      product(factor.dB(), factor.outputs(dY).t(), factor.lows(low));
    }
  }

  /** {@code into = scale * left right} */
  private void product(Tensor into, Tensor left, Tensor right) {
    torch.addmm_out(into, into, left, right, Tensors.scalar(NO_BETA), scale);
  }
}
