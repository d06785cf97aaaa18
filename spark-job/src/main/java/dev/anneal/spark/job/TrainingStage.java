package dev.anneal.spark.job;

import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.output.MetricsFile;
import dev.anneal.spark.output.Outcome;
import dev.anneal.spark.output.RunMonitor;
import dev.anneal.spark.output.RunRecord;
import dev.anneal.spark.preflight.Plan;
import dev.anneal.spark.progress.FailureLog;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.progress.RankChannel;
import dev.anneal.spark.train.BarrierTraining;
import java.io.IOException;
import java.util.Optional;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;

/** The training stage as the driver sees it: starts the ranks, listens to them, finds the cause. */
final class TrainingStage {
  private final SparkContext spark;
  private final Plan plan;
  private final ProgressDisplay display;
  private final RunRecord record;
  private final FailureLog failures;

  TrainingStage(SparkContext spark, Plan plan, ProgressDisplay display, RunRecord record) {
    this.spark = spark;
    this.plan = plan;
    this.display = display;
    this.record = record;
    this.failures = new FailureLog(display::line);
  }

  /**
   * Trains.
   *
   * @throws JobFailedException with the first cause, if a rank fails
   */
  Outcome run(long steps) throws IOException {
    announce(steps);
    Outcome outcome = new Outcome();
    spark.addSparkListener(failures);
    try (MetricsFile metrics = MetricsFile.create(plan.folder())) {
      RankChannel.receiveWith(new RunMonitor(steps, display, metrics, record, failures, outcome));
      BarrierTraining.run(JavaSparkContext.fromSparkContext(spark), plan.config(), plan.folder());
      metrics.requireComplete();
      return outcome;
    } catch (IOException e) {
      throw e;
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      throw new JobFailedException(firstCause(e), e);
    } finally {
      RankChannel.receiveWith(null);
      spark.removeSparkListener(failures);
    }
  }

  private void announce(long steps) {
    AnnealConfig config = plan.config();
    display.line(
        "Training %,d steps of %,d sequences on %d ranks ..."
            .formatted(steps, config.globalBatch(), config.worldSize()));
    long every = config.checkpoint().everySteps();
    if (every > 0 && steps > every) {
      display.line(
          "Note: this version writes no checkpoints on the way, whatever checkpoint.every_steps says.");
    }
  }

  private String firstCause(Exception failure) {
    try {
      Optional<String> cause = failures.firstCause();
      return cause.orElseGet(() -> "Training failed: " + RootCause.sentence(failure));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "Training failed: " + RootCause.sentence(failure);
    }
  }
}
