package dev.anneal.training.fused;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.Rows;
import dev.anneal.training.product.Matrix;
import dev.anneal.training.product.Products;
import dev.anneal.training.product.Products.LowRank;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.weights.Fp8;
import dev.anneal.training.weights.FrozenMatrix;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/**
 * The modules of one group in one layer, which read the same input: one frozen weight {@code W}
 * with their rows end to end, and an adapter for each of them that has one. With the adapters'
 * {@code A} as one matrix of {@code R} rows, {@code B} for each adapted module's columns of {@code
 * y} and columns of {@code low}, and its scale {@code s}:
 *
 * <pre>
 *   low = x A^T                 [T, R]
 *   y   = x W^T + s low B^T     [T, out]
 *
 *   dLow = s dY B               [T, R]
 *   dX   = dY W + dLow A        [T, in]
 *   dA  += dLow^T x             [R, in]
 *   dB  += s dY^T low           [out, r]
 * </pre>
 *
 * <p>With FP8 weights {@code dY W = (dY * scale) W8}: the scales of the weight's rows belong to
 * columns of {@code dY} here, so the FP8 form of {@code dY} has them folded in. {@code y} and
 * {@code dX} are rounded to the compute dtype once, or once for each product that adds to them
 * ({@link Products}); gradients of adapters never: they are added up in fp32.
 *
 * @param shared what all groups and layers have in common
 * @param adapters of the modules that have one
 */
record LoraLinear(Shared shared, FrozenMatrix w, Adapters adapters) {
  /**
   * The adapters of a group.
   *
   * @param a {@code [R, in]} of the adapted modules, end to end
   * @param gradientA where that begins in the layer's gradient
   */
  record Adapters(Matrix a, long gradientA, List<Adapter> each) {}

  /**
   * One adapted module.
   *
   * @param b {@code [out, r]}
   * @param gradientB where that begins in the layer's gradient
   * @param column where the module's outputs begin among those of the group
   * @param low where its low-rank activations begin
   */
  record Adapter(Matrix b, long gradientB, long column, long low, double scale) {
    Matrix outputs(Matrix y) {
      return y.columns(column, b.rows());
    }

    Matrix lows(Matrix low) {
      return low.columns(this.low, b.columns());
    }
  }

  /**
   * What all layers use.
   *
   * @param columns FP8 weights by columns
   * @param ones {@code [n]} fp32, as many as the widest input has columns; without FP8 none
   */
  record Shared(
      Matmul matmul, Kernels kernels, Products products, WeightColumns columns, Tensor ones) {}

  /**
   * The result of {@link #forward}.
   *
   * @param low for the backward; {@code [T, 0]} without adapters
   */
  record Output(Tensor y, Tensor low) {}

  /** The result of {@link #inputGradient}. */
  record InputGradient(Tensor dX, Tensor dLow) {}

  /** {@code y}, and {@code low} for the backward. */
  Output forward(Rows x) {
    Tensor low = low(x.values());
    Tensor y = x.values().new_empty(x.values().size(0), w.weight().size(0));
    List<LowRank> added = new ArrayList<>();
    Matrix lows = Matrix.of(low);
    for (Adapter each : adapters.each()) {
      added.add(new LowRank(each.lows(lows), each.b().t(), each.column(), each.scale()));
    }
    multiply(x, y, added);
    return new Output(y, low);
  }

  /** {@code x A^T}; {@code [T, 0]} without adapters. */
  Tensor low(Tensor x) {
    Tensor low = x.new_empty(x.size(0), rank());
    if (isAdapted()) {
      shared.products().multiply(Matrix.of(x), adapters.a().t(), Matrix.of(low), 1, 0);
    }
    return low;
  }

  /**
   * The whole backward.
   *
   * @param x the forward's input, which is asked for where an adapter needs it, and may be gone
   *     afterwards
   * @param low as {@link #forward} gave it
   * @param gradient the fp32 gradient of the layer's adapters, {@code [n]}, which theirs are added
   *     to
   * @return {@code dX}
   */
  Tensor backward(Rows dY, Supplier<Tensor> x, Tensor low, Tensor gradient) {
    InputGradient input = inputGradient(dY);
    if (isAdapted()) {
      try (TensorScope scope = new TensorScope()) {
        addGradients(dY.values(), x.get(), low, input.dLow(), gradient);
      }
    }
    return input.dX();
  }

  /** The half of {@link #backward} that does not ask for the forward's input. */
  InputGradient inputGradient(Rows dY) {
    Tensor dLow = dLow(dY.values());
    Tensor dX = dY.values().new_empty(dY.values().size(0), w.weight().size(1));
    multiplyBackward(
        dY,
        dX,
        isAdapted() ? List.of(new LowRank(Matrix.of(dLow), adapters.a(), 0, 1)) : List.of());
    return new InputGradient(dX, dLow);
  }

  private Tensor dLow(Tensor dY) {
    Tensor dLow = dY.new_empty(dY.size(0), rank());
    if (isAdapted()) {
      Matrix outputs = Matrix.of(dY);
      Matrix lows = Matrix.of(dLow);
      for (Adapter each : adapters.each()) {
        shared
            .products()
            .multiply(each.outputs(outputs), each.b(), each.lows(lows), each.scale(), 0);
      }
    }
    return dLow;
  }

  /** The other half: adds {@code dLow^T x} and {@code s dY^T low} to {@code gradient}. */
  void addGradients(Tensor dY, Tensor x, Tensor low, Tensor dLow, Tensor gradient) {
    if (!isAdapted()) {
      return;
    }
    Matrix a = adapters.a();
    Matrix dA = Matrix.at(gradient, adapters.gradientA(), a.rows(), a.columns());
    shared.products().multiply(Matrix.of(dLow).t(), Matrix.of(x), dA, 1, 1);
    Matrix outputs = Matrix.of(dY);
    Matrix lows = Matrix.of(low);
    for (Adapter each : adapters.each()) {
      Matrix b = each.b();
      Matrix dB = Matrix.at(gradient, each.gradientB(), b.rows(), b.columns());
      shared.products().multiply(each.outputs(outputs).t(), each.lows(lows), dB, each.scale(), 1);
    }
  }

  private boolean isAdapted() {
    return !adapters.each().isEmpty();
  }

  private long rank() {
    return isAdapted() ? adapters.a().rows() : 0;
  }

  /** {@code y = x W^T} and what is added to it. */
  private void multiply(Rows x, Tensor y, List<LowRank> added) {
    Products products = shared.products();
    if (isFp8()) {
      products.multiplyScaled(x.quantized(), Matrix.of(w.weight()), w.scale(), y, added);
      return;
    }
    try (TensorScope scope = new TensorScope()) {
      Matrix weight = Matrix.of(inComputeDtype(y));
      products.multiply(Matrix.of(x.values()), weight.t(), Matrix.of(y), added);
    }
  }

  /** {@code dX = dY W} and what is added to it. */
  private void multiplyBackward(Rows dY, Tensor dX, List<LowRank> added) {
    Products products = shared.products();
    try (TensorScope scope = new TensorScope()) {
      if (isFp8()) {
        Matrix columns = shared.columns().of(w.weight());
        Tensor ones = shared.ones().narrow(0, 0, dX.size(1));
        products.multiplyScaled(dY.quantized(), columns, ones, dX, added);
      } else {
        Matrix weight = Matrix.of(inComputeDtype(dX));
        products.multiply(Matrix.of(dY.values()), weight, Matrix.of(dX), added);
      }
    }
  }

  private Tensor inComputeDtype(Tensor like) {
    return w.scale() == null
        ? w.weight()
        : Fp8.dequantize(w.weight(), w.scale(), like.scalar_type());
  }

  /** What products with the frozen weight are computed in: at an exact edge as it is held. */
  Matmul matmul() {
    return w.scale() == null ? Matmul.COMPUTE : shared.matmul();
  }

  private boolean isFp8() {
    return matmul() == Matmul.FP8;
  }

  /** {@code x} with the FP8 form that {@link #forward} needs, where it needs one. */
  Rows rows(Tensor x) {
    return new Rows(x, isFp8() ? shared.kernels().quantize(x, null) : null);
  }

  /** {@code dY} with the FP8 form that the backward needs, where it needs one. */
  Rows gradientRows(Tensor dY) {
    return new Rows(dY, isFp8() ? shared.kernels().quantize(dY, w.scale()) : null);
  }

  /** What a kernel folds into the FP8 form of {@code dY}; {@code null} where there is none. */
  Tensor columnScale() {
    return isFp8() ? w.scale() : null;
  }
}
