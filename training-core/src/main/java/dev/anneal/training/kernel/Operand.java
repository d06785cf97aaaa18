package dev.anneal.training.kernel;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** What the CUDA kernels ask of a tensor. */
final class Operand {
  private static final int ACCESS_BYTES = 16;

  private Operand() {}

  /**
   * CUDA's name for the dtype that {@code x} is computed in.
   *
   * @throws IllegalArgumentException if no kernel takes it
   */
  static String real(Tensor x) {
    byte type = x.scalar_type().value;
    if (type == ScalarType.BFloat16.value) {
      return "bf16";
    }
    if (type == ScalarType.Float.value) {
      return "float";
    }
    throw new IllegalArgumentException(
        "kernels take bf16 and fp32, and not " + x.scalar_type().intern());
  }

  /** Elements of an access of 16 bytes in a kernel that computes in {@code real}. */
  private static int widest(String real) {
    return real.equals("bf16") ? ACCESS_BYTES / 2 : ACCESS_BYTES / 4;
  }

  /**
   * Elements of an access to rows.
   *
   * @param width a row's elements must be a multiple of it
   * @param addresses all of them together ({@code |}) must be aligned to an access
   */
  static int vector(String real, long width, long addresses) {
    int widest = widest(real);
    return width % widest == 0 && addresses % ACCESS_BYTES == 0 ? widest : 1;
  }

  /** The address of a contiguous tensor of dtype {@code type}; 0 for {@code null}. */
  static long address(Tensor tensor, ScalarType type, String name) {
    if (tensor == null) {
      return 0;
    }
    if (tensor.scalar_type().value != type.value || !tensor.is_contiguous()) {
      throw new IllegalArgumentException(
          "%s must be contiguous and of %s, and is %s of %s"
              .formatted(
                  name,
                  type,
                  tensor.is_contiguous() ? "contiguous" : "strided",
                  tensor.scalar_type().intern()));
    }
    return address(tensor);
  }

  /** The address of a tensor's elements; 0 if it has none. */
  static long address(Tensor tensor) {
    return tensor.numel() == 0 ? 0 : tensor.data_ptr().address();
  }

  /** The first bytes of {@code into} as {@code [rows, columns]} of {@code like}'s dtype. */
  static Tensor viewOf(Tensor into, Tensor like, long rows, long columns) {
    return into.view(-1).view(like.scalar_type()).narrow(0, 0, rows * columns).view(rows, columns);
  }
}
