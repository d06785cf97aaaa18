package dev.anneal.training.product;

import dev.anneal.training.kernel.LowRankKernel;
import dev.anneal.training.kernel.LowRankProduct;
import dev.anneal.training.kernel.LowRankProduct.Form;
import dev.anneal.training.kernel.LowRankProduct.Range;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.product.Products.LowRank;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Which products with adapters {@link LowRankKernel} takes, by how their matrices lie. */
final class LowRankPlan {
  /** Rows of fewer are better split over the multiprocessors by cuBLASLt. */
  static final long FEWEST_ROWS = 256;

  /** The kernel counts tiles, rows and columns in 32 bits. */
  private static final long MOST = 1 << 30;

  /** Of a scale's magnitude, and of the inverse's: sums are divided by it, in fp32. */
  private static final double MOST_SCALE = 0x1p40;

  /** Two columns' scales are one access. */
  private static final int SCALES_ALIGNMENT = 2 * Float.BYTES;

  private LowRankPlan() {}

  /** {@code out = left right} and adapters in bf16; empty where the kernel does not take it. */
  static Optional<LowRankProduct> of(
      Matrix left, Matrix right, Matrix out, List<LowRank> adapters) {
    if (!isBf16(left) || !isBf16(right)) {
      return Optional.empty();
    }
    Form form = new Form(false, !right.layout().transposed(), areByColumns(adapters));
    return of(form, left, right, out, 0, 0, adapters);
  }

  /** {@code out = left right^T} in FP8 and adapters; empty likewise. */
  static Optional<LowRankProduct> of(
      Quantized left, Matrix right, Tensor rightScale, Tensor out, List<LowRank> adapters) {
    Matrix bytes = Matrix.of(left.bytes());
    long rightAt = rightScale.data_ptr().address();
    if (!isFp8(bytes)
        || !isFp8(right)
        || right.layout().transposed()
        || rightAt % SCALES_ALIGNMENT != 0) {
      return Optional.empty();
    }
    Form form = new Form(true, false, areByColumns(adapters));
    long leftAt = left.scale().data_ptr().address();
    return of(form, bytes, right.t(), Matrix.of(out), leftAt, rightAt, adapters);
  }

  private static Optional<LowRankProduct> of(
      Form form,
      Matrix left,
      Matrix right,
      Matrix out,
      long leftScale,
      long rightScale,
      List<LowRank> adapters) {
    boolean fits =
        left.columns() == right.rows()
            && left.rows() == out.rows()
            && right.columns() == out.columns();
    if (!fits
        || left.layout().transposed()
        || !isAligned(left)
        || !isAligned(right)
        || !isRows(out)
        || out.columns() % 2 != 0
        || !isSize(out.rows(), FEWEST_ROWS)
        || !isSize(out.columns(), 1)
        || !isSize(left.columns(), 1)) {
      return Optional.empty();
    }
    return ranges(form, out, adapters)
        .map(
            ranges ->
                new LowRankProduct(
                    form, left.lies(), right.lies(), out.lies(), leftScale, rightScale, ranges));
  }

  /** All columns of {@code out} in order, with and without an adapter. */
  private static Optional<List<Range>> ranges(Form form, Matrix out, List<LowRank> adapters) {
    List<Range> ranges = new ArrayList<>();
    long end = 0;
    for (LowRank each : adapters) {
      if (each.column() < end || !takes(each, out, form.factorByColumns())) {
        return Optional.empty();
      }
      if (each.column() > end) {
        ranges.add(Range.without(end));
      }
      ranges.add(new Range(each.column(), each.low().lies(), each.factor().lies(), each.scale()));
      end = each.column() + each.factor().columns();
    }
    if (end < out.columns()) {
      ranges.add(Range.without(end));
    }
    // by columns one adapter has them all
    int most = form.factorByColumns() ? 1 : LowRankKernel.MODULES;
    boolean isTaken = !adapters.isEmpty() && end <= out.columns() && ranges.size() <= most;
    for (Range range : ranges) {
      isTaken &= range.begin() % LowRankKernel.COLUMNS == 0;
    }
    return isTaken ? Optional.of(ranges) : Optional.empty();
  }

  private static boolean takes(LowRank adapter, Matrix out, boolean byColumns) {
    Matrix low = adapter.low();
    Matrix factor = adapter.factor();
    double magnitude = Math.abs(adapter.scale());
    return isRows(low)
        && isBf16(factor)
        && isAligned(factor)
        && factor.layout().transposed() != byColumns
        && low.rows() == out.rows()
        && low.columns() == factor.rows()
        && low.columns() > 0
        && low.columns() % Products.RANKS == 0
        && magnitude >= 1 / MOST_SCALE
        && magnitude <= MOST_SCALE;
  }

  /** Whether the first factor lies as {@code [r, n]}. */
  private static boolean areByColumns(List<LowRank> adapters) {
    return !adapters.isEmpty() && !adapters.get(0).factor().layout().transposed();
  }

  private static boolean isSize(long size, long least) {
    return size >= least && size <= MOST;
  }

  private static boolean isRows(Matrix matrix) {
    return isBf16(matrix) && !matrix.layout().transposed() && isAligned(matrix);
  }

  private static boolean isAligned(Matrix matrix) {
    return matrix.isAligned(LowRankKernel.ALIGNMENT);
  }

  private static boolean isBf16(Matrix matrix) {
    return matrix.layout().type() == ScalarType.BFloat16.value;
  }

  private static boolean isFp8(Matrix matrix) {
    return matrix.layout().type() == ScalarType.Float8_e4m3fn.value;
  }
}
