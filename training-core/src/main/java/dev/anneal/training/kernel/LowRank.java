package dev.anneal.training.kernel;

import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;

/**
 * {@code scale * low factor^T}, what an adapter adds to a {@code [T, N]} matrix.
 *
 * @param low {@code [T, r]}, its rows contiguous
 * @param factor {@code [N, r]}, any strides
 */
public record LowRank(Tensor low, Tensor factor, double scale) {
  /** {@code y += scale * low factor^T}; nothing for {@code null}. */
  static void addTo(Tensor y, LowRank added) {
    if (added != null) {
      try (TensorScope scope = new TensorScope()) {
        y.addmm_(added.low, added.factor.t(), Tensors.scalar(1), Tensors.scalar(added.scale));
      }
    }
  }
}
