package dev.anneal.spark.evaluate;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.storage.Storage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A row that is answered to be read: what stands before its first learned token, and what it says
 * from there to the next token that is not learned.
 *
 * @param number of the row among all that are measured, from 0
 * @param source empty where nothing says it
 * @param prompt token ids
 * @param reference token ids
 */
record EvaluatedRow(long number, String source, int[] prompt, int[] reference) {

  /** The first {@code count} rows that have a prompt: those that learn all they hold have none. */
  static List<EvaluatedRow> first(EvaluatedRows rows, int count, Storage storage) {
    List<EvaluatedRow> found = new ArrayList<>();
    long number = 0;
    try (PreparedDataset dataset = rows.open(storage)) {
      for (long i = 0; i < dataset.size() && found.size() < count; i++) {
        for (TokenizedRow row : dataset.read(i).rows()) {
          // one token before all others begins a text, and asks nothing
          if (found.size() < count && row.targetSpans().length > 0 && row.targetSpans()[0] > 1) {
            found.add(of(number, row));
          }
          number++;
        }
      }
    }
    return found;
  }

  private static EvaluatedRow of(long number, TokenizedRow row) {
    int[] spans = row.targetSpans();
    return new EvaluatedRow(
        number,
        row.source(),
        Arrays.copyOf(row.ids(), spans[0]),
        Arrays.copyOfRange(row.ids(), spans[0], spans[1]));
  }
}
