package dev.anneal.training.io;

/**
 * A tensor as the header of a safetensors file places it.
 *
 * @param shape sizes of the dimensions, outermost first; empty for a scalar
 * @param begin first byte of its data, counted from the end of the header
 * @param end the byte after its last
 */
public record TensorEntry(String name, SafetensorsDType dtype, long[] shape, long begin, long end) {

  /** Number of elements. */
  public long elements() {
    return byteSize() / dtype.bytes();
  }

  /** Bytes of its data. */
  public long byteSize() {
    return end - begin;
  }
}
