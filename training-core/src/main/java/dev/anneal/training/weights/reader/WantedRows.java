package dev.anneal.training.weights.reader;

import org.bytedeco.pytorch.Tensor;

/**
 * Rows of a weight that a rank wants, and what takes them as they come.
 *
 * @param name the weight's Hugging Face name
 * @param first the first row wanted
 * @param count how many
 * @param columns elements of a row; a vector is one row
 */
public record WantedRows(String name, long first, long count, long columns, Sink sink) {

  /** Takes rows. */
  public interface Sink {
    /**
     * Called once for every piece, the pieces in any order, by the thread that asked for the rows.
     *
     * @param row the first row of the piece, counted from the first that is wanted
     * @param values {@code [n, columns]} of any floating-point dtype on the device that the rows
     *     are wanted on; its memory is used again after the call
     */
    void accept(long row, Tensor values);
  }
}
