package dev.anneal.training.product;

import dev.anneal.training.kernel.LowRankProduct;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A part of a tensor as a product reads or writes it: rows of contiguous elements, or the transpose
 * of those. Making one costs no tensor; on a GPU it is an address and a shape. It does not keep the
 * tensor's memory.
 */
public final class Matrix {
  /**
   * How it lies in memory.
   *
   * @param type {@link ScalarType}'s number of the elements' dtype
   * @param rows of the memory
   * @param columns of the memory
   * @param stride elements from the beginning of a row to that of the next
   * @param transposed the matrix is the transpose of what lies there
   */
  record Layout(byte type, long rows, long columns, long stride, boolean transposed) {
    int elementBytes() {
      if (type == ScalarType.Float.value) {
        return Float.BYTES;
      }
      return type == ScalarType.BFloat16.value ? 2 : 1;
    }

    @Override
    public String toString() {
      return "[%s, %s]%s in rows of %s (dtype %s)"
          .formatted(rows, columns, transposed ? "^T" : "", stride, type);
    }
  }

  private final Tensor memory;

  /** The first element's among those of {@link #memory}. */
  private final long offset;

  /** The first element's on a GPU; 0 on the host. */
  private final long address;

  private final Layout layout;

  private Matrix(Tensor memory, long offset, long address, Layout layout) {
    this.memory = memory;
    this.offset = offset;
    this.address = address;
    this.layout = layout;
  }

  /** All of a contiguous tensor of two dimensions. */
  public static Matrix of(Tensor tensor) {
    return at(tensor, 0, tensor.size(0), tensor.size(1));
  }

  /**
   * {@code [rows, columns]} that lie end to end in a contiguous tensor.
   *
   * @param offset elements before them
   */
  public static Matrix at(Tensor tensor, long offset, long rows, long columns) {
    byte type = tensor.scalar_type().value;
    Layout layout = new Layout(type, rows, columns, columns, false);
    boolean onGpu = tensor.is_cuda() && rows * columns > 0;
    long address = onGpu ? tensor.data_ptr().address() + offset * layout.elementBytes() : 0;
    return new Matrix(tensor, offset, address, layout);
  }

  /** Some of the columns of a matrix that is no transpose. */
  public Matrix columns(long first, long count) {
    if (layout.transposed()) {
      throw new IllegalStateException("the columns of a transpose are rows of its memory");
    }
    return new Matrix(
        memory,
        offset + first,
        address == 0 ? 0 : address + first * layout.elementBytes(),
        new Layout(layout.type(), layout.rows(), count, layout.stride(), false));
  }

  /** The transpose. */
  public Matrix t() {
    return new Matrix(
        memory,
        offset,
        address,
        new Layout(
            layout.type(), layout.rows(), layout.columns(), layout.stride(), !layout.transposed()));
  }

  /** Rows of the matrix. */
  public long rows() {
    return layout.transposed() ? layout.columns() : layout.rows();
  }

  /** Columns of the matrix. */
  public long columns() {
    return layout.transposed() ? layout.rows() : layout.columns();
  }

  Layout layout() {
    return layout;
  }

  long address() {
    return address;
  }

  /** Whether address and rows are multiples of {@code bytes}. */
  boolean isAligned(int bytes) {
    return address % bytes == 0 && layout.stride() * layout.elementBytes() % bytes == 0;
  }

  /** What lies there, of which it may be the transpose. */
  LowRankProduct.Memory lies() {
    return new LowRankProduct.Memory(address, layout.rows(), layout.columns(), layout.stride());
  }

  /** It as a tensor, a view. */
  Tensor tensor() {
    long first = memory.storage_offset() + offset;
    Tensor view =
        memory.as_strided(
            new long[] {layout.rows(), layout.columns()},
            new long[] {layout.stride(), 1},
            new LongOptional(first));
    return layout.transposed() ? view.t() : view;
  }

  @Override
  public String toString() {
    return layout.toString();
  }
}
