package dev.anneal.spark.job;

import java.util.Locale;
import org.apache.spark.SparkContext;

/** What Spark's pages call the jobs of a run; they are set for the run's own thread. */
final class JobDescriptions {
  private JobDescriptions() {}

  /**
   * The data is prepared.
   *
   * @param source masked
   */
  static void preparation(SparkContext spark, String source) {
    spark.setJobDescription("Anneal: preparing " + source);
  }

  /** Executors look whether checkpoints are intact. */
  static void checkpoints(SparkContext spark) {
    spark.setJobDescription("Anneal: looking at checkpoints");
  }

  /**
   * Ranks train.
   *
   * @param attempt counted from 1
   * @param step that it goes on after; 0: it begins anew
   */
  static void training(SparkContext spark, int attempt, long step) {
    String from = step == 0 ? "" : String.format(Locale.ROOT, ", after step %,d", step);
    spark.setJobDescription("Anneal: training, attempt %s%s".formatted(attempt, from));
  }

  /** Executors put the adapter into the model. */
  static void merging(SparkContext spark) {
    spark.setJobDescription("Anneal: merging");
  }
}
