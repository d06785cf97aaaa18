package dev.anneal.training.trainer;

import java.util.Map;
import java.util.OptionalDouble;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What is known of the rows that a run learns from, as far as it decides memory and speed:
 * attention takes some for every row of a micro-batch, and packing puts many into a sequence.
 *
 * @param lengths rows by their length in tokens: the key {@code 64} counts those with 33 to 64;
 *     empty: not known
 * @param pieces rows that are pieces of longer ones, as short as a token
 * @param packed whether sequences hold several rows
 * @param tokensPerSequence on average; 0: not known
 * @param tokensPerRow likewise
 * @param learnedShare of the tokens; 0: not known
 */
public record RowStatistics(
    SortedMap<Integer, Long> lengths,
    long pieces,
    boolean packed,
    double tokensPerSequence,
    double tokensPerRow,
    double learnedShare) {
  /** Packed rows of which nothing is known count with so many tokens; Alpaca's have 113. */
  private static final int USUAL_TOKENS = 32;

  /** A micro-batch may hold the end of one epoch and the beginning of the next. */
  private static final int EPOCHS = 2;

  /** Sequences that packing leaves have this share of the average, or of half their length. */
  private static final double SURE_SHARE = 0.9;

  public RowStatistics {
    lengths = new TreeMap<>(lengths);
  }

  /** Before the rows are read. */
  public static RowStatistics unknown(boolean packed) {
    return new RowStatistics(new TreeMap<>(), 0, packed, 0, 0, 0);
  }

  /** A sequence is a row. */
  public static RowStatistics unpacked() {
    return unknown(false);
  }

  /**
   * The most rows that so many sequences can have together: a bound where lengths are known, else a
   * guess.
   *
   * @param length of a sequence at most, in tokens
   */
  long mostRows(long sequences, long length) {
    if (!packed) {
      return sequences;
    }
    long room = sequences * length;
    if (lengths.isEmpty()) {
      return Math.max(sequences, room / USUAL_TOKENS);
    }
    long rows = 0;
    if (pieces > 0) {
      rows = Math.min(room, EPOCHS * pieces);
      room -= rows;
    }
    for (Map.Entry<Integer, Long> bucket : lengths.entrySet()) {
      // keys are powers of two
      long shortest = Math.min(length, bucket.getKey() / 2 + 1);
      long taken = Math.min(room / shortest, EPOCHS * bucket.getValue());
      rows += taken;
      room -= taken * shortest;
    }
    return Math.max(sequences, rows);
  }

  /**
   * Tokens of the row that a token is in, on average, which is at least those of the average row;
   * empty: not known.
   *
   * @param most that a row has: of longer ones so many are taken, or pieces of so many
   */
  OptionalDouble attended(double most) {
    double tokens = 0;
    double squares = 0;
    for (Map.Entry<Integer, Long> bucket : lengths.entrySet()) {
      // the mean of the bucket's bounds, by their ratio
      double length = bucket.getKey() / Math.sqrt(2);
      double taken = bucket.getValue() * (pieces > 0 ? length : Math.min(most, length));
      tokens += taken;
      squares += taken * Math.min(most, length);
    }
    double attended = Math.max(tokensPerRow, tokens == 0 ? 0 : squares / tokens);
    return attended == 0 ? OptionalDouble.empty() : OptionalDouble.of(attended);
  }

  /** Tokens that the largest of a run's micro-batches has at least, a sequence. */
  long sureTokens(long length) {
    if (tokensPerSequence == 0) {
      // two sequences that are not half full would be one
      return packed ? length / 2 : 1;
    }
    return Math.max(1, Math.min(length, (long) (SURE_SHARE * tokensPerSequence)));
  }
}
