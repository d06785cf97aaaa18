package dev.anneal.training;

import dev.anneal.training.data.TokenSequence;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Made-up training rows. */
public final class Rows {
  private Rows() {}

  /** One row that learns its tokens from {@code promptLength} on. */
  public static TokenSequence row(int promptLength, int... ids) {
    return new TokenSequence(ids, new int[] {ids.length}, new int[] {promptLength, ids.length});
  }

  /** Rows of these lengths with random ids, each of which learns its second half. */
  public static List<TokenSequence> random(int vocabSize, long seed, int... lengths) {
    SplittableRandom random = new SplittableRandom(seed);
    List<TokenSequence> rows = new ArrayList<>();
    for (int length : lengths) {
      rows.add(row(length / 2, random.ints(length, 0, vocabSize).toArray()));
    }
    return rows;
  }

  /** The rows end to end as one sequence. */
  public static TokenSequence packed(List<TokenSequence> rows) {
    List<Integer> ids = new ArrayList<>();
    List<Integer> lengths = new ArrayList<>();
    List<Integer> spans = new ArrayList<>();
    for (TokenSequence row : rows) {
      for (int span : row.targetSpans()) {
        spans.add(ids.size() + span);
      }
      for (int id : row.inputIds()) {
        ids.add(id);
      }
      for (int length : row.rowLengths()) {
        lengths.add(length);
      }
    }
    return new TokenSequence(ints(ids), ints(lengths), ints(spans));
  }

  private static int[] ints(List<Integer> values) {
    return values.stream().mapToInt(Integer::intValue).toArray();
  }
}
