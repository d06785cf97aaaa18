package dev.anneal.training.cudnn;

import static dev.anneal.training.cudnn.AttentionOperand.D_KEY_STARTS;
import static dev.anneal.training.cudnn.AttentionOperand.KEY_LENGTHS;
import static dev.anneal.training.cudnn.AttentionOperand.KEY_STARTS;
import static dev.anneal.training.cudnn.AttentionOperand.LOGSUMEXP_STARTS;
import static dev.anneal.training.cudnn.AttentionOperand.OUTPUT_STARTS;
import static dev.anneal.training.cudnn.AttentionOperand.QUERY_LENGTHS;
import static dev.anneal.training.cudnn.AttentionOperand.QUERY_STARTS;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Where the rows of a group lie, as a plan reads it: lines of int32, each aligned to 16 bytes. The
 * first has the rows' lengths, 0 for those that fill the bucket; the others where rows begin in
 * each operand, in elements, and for those that fill the bucket where the batch ends.
 *
 * @param values the lines, end to end
 * @param pitch from a line to the next
 */
public record RowIndices(long[] values, int pitch) {
  /** Values in 16 bytes. */
  private static final int ALIGNED = 4;

  private static final List<AttentionOperand> STARTS =
      List.of(QUERY_STARTS, KEY_STARTS, OUTPUT_STARTS, D_KEY_STARTS, LOGSUMEXP_STARTS);

  /** Of a group of a batch's rows. */
  public static RowIndices of(int[] rowLengths, RowGroup group, AttentionShape.Strides strides) {
    long[] tokens = new long[rowLengths.length + 1];
    for (int row = 0; row < rowLengths.length; row++) {
      tokens[row + 1] = tokens[row] + rowLengths[row];
    }
    int bucket = group.rowBucket();
    int pitch = (bucket + ALIGNED) / ALIGNED * ALIGNED;
    long[] values = new long[pitch * (1 + STARTS.size())];
    int count = group.rows().size();
    for (int i = 0; i < count; i++) {
      values[i] = rowLengths[group.rows().get(i)];
    }
    long[] factors = strides.factors();
    for (int line = 0; line < STARTS.size(); line++) {
      for (int i = 0; i <= bucket; i++) {
        long token = i < count ? tokens[group.rows().get(i)] : tokens[rowLengths.length];
        values[(line + 1) * pitch + i] = token * factors[line];
      }
    }
    return new RowIndices(values, pitch);
  }

  /** Whether every place among {@code tokens} is an int32. */
  public static boolean fit(long tokens, AttentionShape.Strides strides) {
    long largest = 0;
    for (long factor : strides.factors()) {
      largest = Math.max(largest, factor);
    }
    return tokens * largest <= Integer.MAX_VALUE;
  }

  /**
   * The addresses of the lines.
   *
   * @param address of the first
   */
  public Map<AttentionOperand, Long> addresses(long address) {
    Map<AttentionOperand, Long> addresses = new EnumMap<>(AttentionOperand.class);
    addresses.put(QUERY_LENGTHS, address);
    addresses.put(KEY_LENGTHS, address);
    for (int line = 0; line < STARTS.size(); line++) {
      addresses.put(STARTS.get(line), address + (line + 1L) * pitch * Integer.BYTES);
    }
    return addresses;
  }
}
