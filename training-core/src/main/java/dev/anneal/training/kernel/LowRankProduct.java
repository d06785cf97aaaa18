package dev.anneal.training.kernel;

import java.util.List;

/**
 * What {@link LowRankKernel} is asked for: {@code result = left right^T + scale low factor^T}, of
 * which each range of columns of {@code result} has its own {@code low} and {@code factor}.
 *
 * @param left {@code [m, k]}
 * @param right {@code [n, k]}, or {@code [k, n]} by columns
 * @param result {@code [m, n]} bf16
 * @param leftScale where a fp32 scale for each row of {@code left} lies; 0 for bf16
 * @param rightScale likewise for each of the {@code n}
 * @param ranges all columns in order, at most {@link LowRankKernel#MODULES}
 */
public record LowRankProduct(
    Form form,
    Memory left,
    Memory right,
    Memory result,
    long leftScale,
    long rightScale,
    List<Range> ranges) {
  /**
   * How factors lie.
   *
   * @param fp8 {@code left} and {@code right} are e4m3, else bf16
   * @param rightByColumns {@code right} lies as {@code [k, n]}; bf16 alone
   * @param factorByColumns {@code factor} lies as {@code [r, n]}
   */
  public record Form(boolean fp8, boolean rightByColumns, boolean factorByColumns) {}

  /**
   * Rows of the device's memory.
   *
   * @param address of the first element, a multiple of {@link LowRankKernel#ALIGNMENT}
   * @param columns elements of a row
   * @param stride elements from the beginning of a row to that of the next, in bytes a multiple of
   *     {@link LowRankKernel#ALIGNMENT}
   */
  public record Memory(long address, long rows, long columns, long stride) {}

  /**
   * Columns of the result up to those of the next range.
   *
   * @param begin the first, a multiple of {@link LowRankKernel#COLUMNS}
   * @param low {@code [m, r]} bf16; {@code null}: nothing is added to the range
   * @param factor {@code [n of the range, r]} bf16, or {@code [r, n]} by columns; {@code null} too
   * @param scale not 0
   */
  public record Range(long begin, Memory low, Memory factor, double scale) {
    /** Columns that nothing is added to. */
    public static Range without(long begin) {
      return new Range(begin, null, null, 1);
    }

    /** Columns of {@code low}. */
    int rank() {
      return low == null ? 0 : Math.toIntExact(low.columns());
    }
  }

  int m() {
    return Math.toIntExact(left.rows());
  }

  int n() {
    return Math.toIntExact(result.columns());
  }

  int k() {
    return Math.toIntExact(left.columns());
  }
}
