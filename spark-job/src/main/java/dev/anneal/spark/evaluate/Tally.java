package dev.anneal.spark.evaluate;

import dev.anneal.spark.evaluate.EvaluationResult.Answered;
import dev.anneal.spark.evaluate.EvaluationResult.Loss;
import dev.anneal.spark.evaluate.EvaluationResult.Losses;
import dev.anneal.spark.train.EvaluationTask.Measured;
import dev.anneal.training.trainer.SequenceLosses;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Adds up the losses of rows. A sum of floating-point numbers depends on their order, so it is that
 * of the rows, whichever ranks have measured them.
 */
final class Tally {
  private final boolean adapted;
  private final Sum all = new Sum();
  private final SortedMap<String, Sum> bySource = new TreeMap<>();
  private long withoutTargets;

  private static final class Sum {
    private long rows;
    private long targetTokens;
    private double base;
    private double adapted;

    void add(SequenceLosses losses, int row) {
      rows++;
      targetTokens += losses.targetTokens()[row];
      base += losses.base()[row];
      adapted += losses.adapted() == null ? 0 : losses.adapted()[row];
    }
  }

  private record Sequence(SequenceLosses losses, List<String> sources) {}

  private Tally(boolean adapted) {
    this.adapted = adapted;
  }

  /**
   * What all ranks have found.
   *
   * @param adapted whether there is an adapter
   */
  static EvaluationResult of(
      List<Measured> ranks, boolean adapted, String output, List<Answered> answers) {
    List<Sequence> sequences = new ArrayList<>();
    for (Measured rank : ranks) {
      for (int i = 0; i < rank.losses().size(); i++) {
        sequences.add(new Sequence(rank.losses().get(i), rank.sources().get(i)));
      }
    }
    sequences.sort(Comparator.comparingLong(sequence -> sequence.losses().sequence()));
    Tally tally = new Tally(adapted);
    sequences.forEach(tally::add);
    return new EvaluationResult(
        output, tally.losses(tally.all), tally.sources(), tally.withoutTargets, answers);
  }

  private void add(Sequence sequence) {
    for (int row = 0; row < sequence.losses().targetTokens().length; row++) {
      if (sequence.losses().targetTokens()[row] == 0) {
        withoutTargets++;
      } else {
        String source = sequence.sources().isEmpty() ? "" : sequence.sources().get(row);
        all.add(sequence.losses(), row);
        bySource.computeIfAbsent(source, s -> new Sum()).add(sequence.losses(), row);
      }
    }
  }

  private SortedMap<String, Losses> sources() {
    SortedMap<String, Losses> losses = new TreeMap<>();
    if (!bySource.keySet().stream().allMatch(String::isEmpty)) {
      bySource.forEach((source, sum) -> losses.put(source, losses(sum)));
    }
    return losses;
  }

  private Losses losses(Sum sum) {
    return new Losses(
        sum.rows,
        sum.targetTokens,
        Loss.of(sum.base, sum.targetTokens),
        adapted ? Loss.of(sum.adapted, sum.targetTokens) : null);
  }
}
