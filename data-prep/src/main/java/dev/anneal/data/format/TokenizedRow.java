package dev.anneal.data.format;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * A row as tokens.
 *
 * @param ids token ids
 * @param targetSpans {@code [start, end)} pairs, flattened and ascending, of the positions that are
 *     learned; never position 0, which nothing predicts
 * @param source where it comes from, as its own field or the name of its file says; empty where
 *     nothing does
 */
public record TokenizedRow(int[] ids, int[] targetSpans, String source) implements Serializable {

  public TokenizedRow {
    Objects.requireNonNull(source, "source");
  }

  /** A row of which nothing says where it comes from. */
  public TokenizedRow(int[] ids, int[] targetSpans) {
    this(ids, targetSpans, "");
  }

  /** The same row, from there. */
  public TokenizedRow from(String place) {
    return new TokenizedRow(ids, targetSpans, place);
  }

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

  /**
   * The row cut into pieces of {@code maxLength} tokens and a rest. A piece knows nothing of those
   * before it, so its first token is not learned; pieces in which nothing is learned are left out.
   */
  public List<TokenizedRow> split(int maxLength) {
    List<TokenizedRow> pieces = new ArrayList<>();
    for (int start = 0; start < ids.length; start += maxLength) {
      int end = Math.min(ids.length, start + maxLength);
      IntStream.Builder spans = IntStream.builder();
      for (int i = 0; i < targetSpans.length; i += 2) {
        int from = Math.max(targetSpans[i], start + 1);
        int to = Math.min(targetSpans[i + 1], end);
        if (from < to) {
          spans.add(from - start).add(to - start);
        }
      }
      TokenizedRow piece =
          new TokenizedRow(Arrays.copyOfRange(ids, start, end), spans.build().toArray(), source);
      if (piece.targetSpans.length > 0) {
        pieces.add(piece);
      }
    }
    return pieces;
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
    return new TokenizedRow(Arrays.copyOf(ids, maxLength), Arrays.copyOf(spans, kept), source);
  }
}
