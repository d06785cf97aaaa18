package dev.anneal.spark.job;

import dev.anneal.spark.checkpoint.CheckpointCommitter;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.DriverChannel;
import dev.anneal.spark.progress.DriverCommand;
import dev.anneal.spark.progress.FailureLog;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.train.Attempt;
import dev.anneal.spark.train.NodeTask;
import dev.anneal.training.io.WrittenFile;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;

/** One attempt at the training stage as the driver sees it; whoever is of another is sent away. */
final class TrainingAttempt {
  /** How an attempt has ended. */
  sealed interface End {
    /** All steps are done, and rank 0 has written the result. */
    record Finished(List<WrittenFile> result) implements End {
      public Finished {
        result = List.copyOf(result);
      }
    }

    /** The ranks have left in good order, because they were told to. */
    record Left() implements End {}

    /**
     * It has failed.
     *
     * @param cause the first, in one sentence
     * @param hopeless whether another attempt would meet the same
     * @param repeatable what tells its cause from others, if another attempt may meet it again
     * @param hungExecutor the process that hangs, as far as that can be told
     */
    record Failed(
        String cause,
        boolean hopeless,
        Optional<String> repeatable,
        Optional<String> hungExecutor,
        Exception error)
        implements End {}
  }

  private final Attempt attempt;
  private final DriverChannel channel;
  private final Supplier<DriverCommand> command;
  private final FailureLog failures;
  private final Consumer<RankEvent> monitor;
  private final CheckpointCommitter checkpoints;
  private final Decommissions decommissions;
  private volatile List<WrittenFile> result;

  TrainingAttempt(
      Attempt attempt,
      DriverChannel channel,
      Supplier<DriverCommand> command,
      FailureLog failures,
      Consumer<RankEvent> monitor,
      CheckpointCommitter checkpoints,
      Decommissions decommissions) {
    this.attempt = attempt;
    this.channel = channel;
    this.command = command;
    this.failures = failures;
    this.monitor = monitor;
    this.checkpoints = checkpoints;
    this.decommissions = decommissions;
  }

  /** Runs the stage and says how that went. */
  End run(SparkContext spark, AnnealConfig config) {
    spark.addSparkListener(failures);
    checkpoints.begin(attempt.id());
    channel.receiveWith(this::receive);
    try {
      BarrierStage.of(
              JavaSparkContext.fromSparkContext(spark),
              config.cluster().nodes(),
              config.cluster().gpusPerNode(),
              new NodeTask(config, attempt))
          .count();
      return result == null ? new End.Left() : new End.Finished(result);
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      return failed(spark, e);
    } finally {
      channel.receiveNothing();
      spark.removeSparkListener(failures);
    }
  }

  private DriverCommand receive(String sender, RankEvent event) {
    if (!sender.equals(attempt.id())) {
      return DriverCommand.LEAVE;
    }
    if (event instanceof RankEvent.Started started) {
      decommissions.started(started);
    }
    if (event instanceof RankEvent.CheckpointPartWritten written) {
      checkpoints.written(written.part());
    } else if (event instanceof RankEvent.CheckpointLost lost) {
      checkpoints.lost(lost.step(), lost.sentence());
    } else if (event instanceof RankEvent.Result finished) {
      result = finished.files();
    } else {
      monitor.accept(event);
    }
    return decommissions.amend(command.get());
  }

  private End.Failed failed(SparkContext spark, Exception e) {
    try {
      String otherwise = "Training failed: " + RootCause.sentence(spark, e);
      String cause = failures.firstCauseOr(otherwise);
      return new End.Failed(
          cause,
          failures.isHopeless() || spark.isStopped(),
          cause.equals(otherwise) ? Optional.of(cause) : failures.repeatable(),
          failures.hungExecutor(),
          e);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return new End.Failed(RootCause.sentence(e), true, Optional.empty(), Optional.empty(), e);
    }
  }
}
