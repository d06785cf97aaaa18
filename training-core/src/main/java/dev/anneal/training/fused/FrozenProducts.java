package dev.anneal.training.fused;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.kernel.Rows;
import dev.anneal.training.tensor.Operator;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.Fp8;
import dev.anneal.training.weights.FrozenMatrix;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The products with frozen weights: {@code x W^T} forward, {@code dY W} backward. */
final class FrozenProducts {
  private final Matmul matmul;
  private final Kernels kernels;
  private final Operator scaledMm = new Operator("aten::_scaled_mm");

  /** Room for the transpose of the largest weight; {@code null} where none is needed. */
  private final Tensor transposed;

  /** {@code [1, n]} fp32 of ones, at least as long as the widest input. */
  private final Tensor ones;

  /**
   * In the current tensor scope.
   *
   * @param like a tensor of the device that products are computed on
   * @param maxWeight elements of the largest joined weight
   * @param maxIn columns of the widest
   */
  FrozenProducts(Matmul matmul, Kernels kernels, Tensor like, long maxWeight, long maxIn) {
    this.matmul = matmul;
    this.kernels = kernels;
    this.transposed =
        matmul == Matmul.FP8 ? Tensors.emptyLike(like, ScalarType.Byte, maxWeight) : null;
    this.ones =
        matmul == Matmul.FP8
            ? Tensors.emptyLike(like, ScalarType.Float, 1, maxIn).fill_(Tensors.scalar(1))
            : null;
  }

  Matmul matmul() {
    return matmul;
  }

  /**
   * {@code x W^T}.
   *
   * @return {@code [T, out]} contiguous, in the dtype of {@code x}
   */
  Tensor forward(Rows x, FrozenMatrix w) {
    if (matmul == Matmul.COMPUTE) {
      return computing(w, x, weight -> torch.mm(x.values(), weight.t()));
    }
    return scaled(x.quantized(), w.weight().t(), w.scale().view(1, -1), x.values());
  }

  /**
   * {@code dY W}. With FP8 weights {@code (dY * s) W8}: the rows' scales are columns of {@code dY}
   * here, so the FP8 form of {@code dY} has them folded in.
   *
   * @return {@code [T, in]} contiguous
   */
  Tensor backward(Rows dY, FrozenMatrix w) {
    if (matmul == Matmul.COMPUTE) {
      return computing(w, dY, weight -> torch.mm(dY.values(), weight));
    }
    Tensor columns = kernels.transpose(w.weight(), transposed).t();
    return scaled(dY.quantized(), columns, ones.narrow(1, 0, w.weight().size(1)), dY.values());
  }

  /** The FP8 form that {@link #backward} needs of {@code dY}, where it needs one. */
  Rows rows(Tensor dY, FrozenMatrix w) {
    return new Rows(dY, matmul == Matmul.FP8 ? kernels.quantize(dY, w.scale()) : null);
  }

  /** The FP8 form that {@link #forward} needs of {@code x}, where it needs one. */
  Rows rows(Tensor x) {
    return new Rows(x, matmul == Matmul.FP8 ? kernels.quantize(x, null) : null);
  }

  /** What a kernel folds into the FP8 form of a gradient; {@code null} where there is none. */
  Tensor columnScale(FrozenMatrix w) {
    return matmul == Matmul.FP8 ? w.scale() : null;
  }

  private interface Product {
    Tensor with(Tensor weight);
  }

  private Tensor computing(FrozenMatrix w, Rows like, Product product) {
    try (TensorScope scope = new TensorScope()) {
      Tensor weight = w.weight();
      if (w.scale() != null) {
        weight = Fp8.dequantize(weight, w.scale(), like.values().scalar_type());
      }
      return scope.keep(product.with(weight));
    }
  }

  private Tensor scaled(Quantized rows, Tensor columns, Tensor columnScale, Tensor like) {
    if (!like.is_cuda()) {
      Tensor left = rows.bytes().to(ScalarType.Float).mul(rows.scale());
      Tensor right = columns.to(ScalarType.Float).mul(columnScale);
      return torch.mm(left, right).to(like.scalar_type());
    }
    return scaledMm
        .call(
            1,
            rows.bytes(),
            columns,
            rows.scale(),
            columnScale,
            null,
            null,
            (long) like.scalar_type().value,
            true)[0];
  }
}
