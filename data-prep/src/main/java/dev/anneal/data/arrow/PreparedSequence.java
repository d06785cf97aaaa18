package dev.anneal.data.arrow;

import dev.anneal.data.format.TokenizedRow;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A training sequence: one row, or several packed end to end.
 *
 * @param inputIds token ids of all rows
 * @param rowLengths tokens of each row; they add up to the length of {@code inputIds}
 * @param targetSpans {@code [start, end)} pairs, flattened and ascending, of the positions in the
 *     sequence that are learned; never a row's first position
 * @param rowSources where each row comes from, empty where nothing says it; none at all in data
 *     sets of earlier versions, and where nothing says it of any row
 */
public record PreparedSequence(
    int[] inputIds, int[] rowLengths, int[] targetSpans, List<String> rowSources) {

  public PreparedSequence {
    rowSources = List.copyOf(rowSources);
  }

  public static PreparedSequence of(List<TokenizedRow> rows) {
    int tokens = rows.stream().mapToInt(TokenizedRow::length).sum();
    int spans = rows.stream().mapToInt(row -> row.targetSpans().length).sum();
    int[] inputIds = new int[tokens];
    int[] rowLengths = new int[rows.size()];
    int[] targetSpans = new int[spans];
    int offset = 0;
    int span = 0;
    for (int i = 0; i < rowLengths.length; i++) {
      TokenizedRow row = rows.get(i);
      System.arraycopy(row.ids(), 0, inputIds, offset, row.length());
      for (int position : row.targetSpans()) {
        targetSpans[span++] = offset + position;
      }
      rowLengths[i] = row.length();
      offset += row.length();
    }
    List<String> sources = rows.stream().map(TokenizedRow::source).toList();
    boolean told = sources.stream().anyMatch(source -> !source.isEmpty());
    return new PreparedSequence(inputIds, rowLengths, targetSpans, told ? sources : List.of());
  }

  /** Where a row comes from; empty where nothing says it. */
  public String sourceOf(int row) {
    return rowSources.isEmpty() ? "" : rowSources.get(row);
  }

  /** The rows as they were before they were laid end to end. */
  public List<TokenizedRow> rows() {
    List<TokenizedRow> rows = new ArrayList<>(rowLengths.length);
    int start = 0;
    int span = 0;
    for (int length : rowLengths) {
      int end = start + length;
      int first = span;
      while (span < targetSpans.length && targetSpans[span] < end) {
        span += 2;
      }
      int offset = start;
      int[] spans = Arrays.stream(targetSpans, first, span).map(p -> p - offset).toArray();
      rows.add(
          new TokenizedRow(Arrays.copyOfRange(inputIds, start, end), spans, sourceOf(rows.size())));
      start = end;
    }
    return rows;
  }
}
