package dev.anneal.spark.evaluate;

import java.util.List;
import java.util.SortedMap;

/**
 * What an evaluation has found.
 *
 * @param output folder that it lies in, as a path or URI; {@code null} for none
 * @param all of all rows
 * @param sources the same by where rows come from, empty for those that do not say it; none where
 *     no row does
 * @param rowsWithoutTargets rows in which nothing is learned, which have no loss; the others are
 *     those of {@code all}
 * @param answers rows that were answered to be read
 */
public record EvaluationResult(
    String output,
    Losses all,
    SortedMap<String, Losses> sources,
    long rowsWithoutTargets,
    List<Answered> answers) {

  /**
   * The losses of some rows.
   *
   * @param targetTokens their learned tokens
   * @param adapted with the adapter; {@code null} where there is none
   */
  public record Losses(long rows, long targetTokens, Loss base, Loss adapted) {}

  /**
   * A loss.
   *
   * @param mean cross-entropy per target token, in nats; NaN where there is no row
   */
  public record Loss(double mean) {
    static Loss of(double sum, long targetTokens) {
      return new Loss(sum / targetTokens);
    }

    /** {@code exp} of the mean. */
    public double perplexity() {
      return Math.exp(mean);
    }
  }

  /**
   * A row beside what the model answers, as texts without special tokens.
   *
   * @param row its number among all rows, from 0
   * @param source empty where nothing says it
   * @param reference what the row itself answers
   * @param adapted with the adapter; {@code null} where there is none
   */
  public record Answered(
      long row, String source, String prompt, String reference, String base, String adapted) {}
}
