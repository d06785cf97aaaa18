package dev.anneal.training.fused;

import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The adapters of one module group in one layer. The modules read the same input, so their {@code
 * A}s are one matrix and their low-rank activations lie side by side.
 *
 * @param a {@code [R, in]}, the adapted modules' {@code A}s, R the sum of their ranks; {@code null}
 *     if none is adapted
 * @param aT its transpose, a view
 * @param dA its gradient
 * @param factors the adapted modules
 */
record GroupAdapters(Tensor a, Tensor aT, Tensor dA, List<Factor> factors, Numbers numbers) {
  /** Numbers of the products, made once: each is a native object. */
  record Numbers(Scalar zero, Scalar one) {
    static Numbers make() {
      return new Numbers(Tensors.scalar(0), Tensors.scalar(1));
    }
  }

  /**
   * One adapted module.
   *
   * @param b {@code [out, r]}
   * @param bT its transpose, a view
   * @param dB its gradient
   * @param column where the module's outputs begin among those of the group
   * @param low where its low-rank activations begin
   * @param scale the factor of its adapter's output
   */
  record Factor(Tensor b, Tensor bT, Tensor dB, long column, long low, Scalar scale) {
    Tensor outputs(Tensor y) {
      return y.narrow(1, column, b.size(0));
    }

    Tensor lows(Tensor low) {
      return low.narrow(1, this.low, b.size(1));
    }
  }

  boolean isEmpty() {
    return factors.isEmpty();
  }

  /** {@code x A^T}, {@code [T, R]}; {@code null} if no module is adapted. */
  Tensor low(Tensor x) {
    return isEmpty() ? null : torch.mm(x, aT);
  }

  /** {@code y += scale * low B^T} of every module. */
  void addTo(Tensor y, Tensor low) {
    for (Factor factor : factors) {
      factor.outputs(y).addmm_(factor.lows(low), factor.bT(), numbers.one(), factor.scale());
    }
  }

  /** {@code scale * dY B} of every module, side by side, {@code [T, R]}. */
  Tensor dLow(Tensor dY) {
    if (isEmpty()) {
      return null;
    }
    Tensor dLow = Tensors.emptyLike(dY, dY.size(0), a.size(0));
    for (Factor factor : factors) {
      product(factor.lows(dLow), factor.outputs(dY), factor.b(), factor.scale());
    }
    return dLow;
  }

  /** {@code dX += dLow A}. */
  void addInputGradient(Tensor dX, Tensor dLow) {
    if (!isEmpty()) {
      dX.addmm_(dLow, a);
    }
  }

  /** Writes the gradients of {@code A} and {@code B}. */
  void gradients(Tensor x, Tensor low, Tensor dY, Tensor dLow) {
    if (isEmpty()) {
      return;
    }
    torch.mm_out(dA, dLow.t(), x);
    for (Factor factor : factors) {
      product(factor.dB(), factor.outputs(dY).t(), factor.lows(low), factor.scale());
    }
  }

  /** {@code into = scale * left right} */
  private void product(Tensor into, Tensor left, Tensor right, Scalar scale) {
    torch.addmm_out(into, into, left, right, numbers.zero(), scale);
  }
}
