package dev.anneal.training.io;

import java.io.Serializable;

/**
 * Name, element type and shape of a tensor in a safetensors file.
 *
 * @param shape sizes of the dimensions, outermost first; empty for a scalar
 */
public record TensorSpec(String name, SafetensorsDType dtype, long... shape)
    implements Serializable {

  /**
   * Number of elements.
   *
   * @throws ArithmeticException if it does not fit 64 bits
   */
  public long elements() {
    long elements = 1;
    for (long size : shape) {
      elements = Math.multiplyExact(elements, size);
    }
    return elements;
  }

  /**
   * Bytes of its data.
   *
   * @throws ArithmeticException if they do not fit 64 bits
   */
  public long byteSize() {
    return Math.multiplyExact(elements(), (long) dtype.bytes());
  }
}
