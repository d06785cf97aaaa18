package dev.anneal.training.collective;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Tensors of types that no library sends are sent as the bytes that they are. */
final class Bytes {
  private Bytes() {}

  /** {@code tensor}, or a view of its bytes in the current tensor scope. */
  static Tensor sendable(Tensor tensor) {
    return tensor.element_size() == 1 ? tensor.view(ScalarType.Byte) : tensor;
  }
}
