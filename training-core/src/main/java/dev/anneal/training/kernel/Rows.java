package dev.anneal.training.kernel;

import dev.anneal.training.tensor.TensorScope;
import org.bytedeco.pytorch.Tensor;

/**
 * A matrix that a product with frozen weights reads.
 *
 * @param values {@code [T, D]} in the compute dtype
 * @param quantized its FP8 form; {@code null} where products are in the compute dtype
 */
public record Rows(Tensor values, Quantized quantized) {
  /** Hands the tensors to the scope around {@code scope}. */
  Rows keptIn(TensorScope scope) {
    scope.keep(values);
    if (quantized != null) {
      scope.keep(quantized.bytes());
      scope.keep(quantized.scale());
    }
    return this;
  }
}
