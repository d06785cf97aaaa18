package dev.anneal.data.format;

import java.io.Serializable;
import java.util.Arrays;

/**
 * A row as tokens.
 *
 * @param ids token ids
 * @param targetSpans {@code [start, end)} pairs, flattened and ascending, of the positions that are
 *     learned; never position 0, which nothing predicts
 */
public record TokenizedRow(int[] ids, int[] targetSpans) implements Serializable {

  public int length() {
    return ids.length;
  }

  /** How many positions are learned. */
  public int targetTokens() {
    int count = 0;
    for (int i = 0; i < targetSpans.length; i += 2) {
      count += targetSpans[i + 1] - targetSpans[i];
    }
    return count;
  }

  /** -1 where there are no tokens. */
  public int largestId() {
    return Arrays.stream(ids).max().orElse(-1);
  }

  /** The row's first {@code maxLength} tokens. */
  public TokenizedRow truncate(int maxLength) {
    if (ids.length <= maxLength) {
      return this;
    }
    int[] spans = targetSpans.clone();
    int kept = 0;
    for (int i = 0; i < spans.length && spans[i] < maxLength; i += 2) {
      spans[i + 1] = Math.min(spans[i + 1], maxLength);
      kept = i + 2;
    }
    return new TokenizedRow(Arrays.copyOf(ids, maxLength), Arrays.copyOf(spans, kept));
  }
}
