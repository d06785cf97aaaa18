package dev.anneal.spark.job;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.checkpoint.CheckpointCommitter;
import dev.anneal.spark.checkpoint.StoredCheckpoint;
import dev.anneal.spark.cluster.Executors;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.job.TrainingAttempt.End;
import dev.anneal.spark.output.MetricsFile;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.output.Outcome;
import dev.anneal.spark.output.ResultPublisher;
import dev.anneal.spark.output.RunMonitor;
import dev.anneal.spark.output.RunRecord;
import dev.anneal.spark.preflight.CheckedRequest;
import dev.anneal.spark.profile.ProfileCollector;
import dev.anneal.spark.progress.DriverChannel;
import dev.anneal.spark.progress.DriverCommand;
import dev.anneal.spark.progress.DriverPulse;
import dev.anneal.spark.progress.ExecutorLogs;
import dev.anneal.spark.progress.FailureLog;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.tracking.Tracking;
import dev.anneal.spark.train.Attempt;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.trainer.MemoryChoice;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.spark.SparkContext;

/**
 * The training stage on the driver: begins it, and again from the last complete checkpoint when it
 * fails, until it is done or does not get any further.
 */
final class TrainingStage {
  private static final Duration FIRST_PAUSE = Duration.ofSeconds(1);
  private static final Duration LONGEST_PAUSE = Duration.ofMinutes(1);
  private static final Duration NEWS = Duration.ofSeconds(10);
  private static final Duration COMMIT = Duration.ofMinutes(3);
  private static final Duration GOOD_ORDER = Duration.ofSeconds(25);

  /** Of the trace of a run that is done. */
  private static final Duration PROFILE = Duration.ofMinutes(2);

  /** Of that of an attempt that is not done: another may be behind it, which takes its own. */
  private static final Duration PROFILE_IN_A_HURRY = Duration.ofSeconds(3);

  private final SparkContext spark;
  private final CheckedRequest checked;
  private final String runId;
  private final long steps;
  private final ProgressDisplay display;
  private final RunRecord record;
  private final LeasedFolder held;
  private final Tracking tracking;
  private final Outcome outcome = new Outcome();
  private final ReplacedExecutors replaced;
  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile MetricsLog log = new MetricsLog();
  private volatile DriverCommand command = DriverCommand.GO_ON;
  private volatile long lastCheckpoint;
  private volatile AnnealConfig config;

  /**
   * @param steps optimizer steps of the whole run
   */
  TrainingStage(
      SparkContext spark,
      CheckedRequest checked,
      String runId,
      long steps,
      ProgressDisplay display,
      RunRecord record,
      LeasedFolder held,
      Tracking tracking) {
    this.spark = spark;
    this.checked = checked;
    this.config = checked.config();
    this.runId = runId;
    this.steps = steps;
    this.display = display;
    this.record = record;
    this.held = held;
    this.tracking = tracking;
    this.replaced = new ReplacedExecutors(spark, display::line);
  }

  /**
   * Trains and publishes.
   *
   * @param identity what the run computes
   * @param found complete checkpoints; it goes on from the newest
   * @throws JobFailedException with the first cause, if it does not get to the end
   */
  Outcome run(SortedMap<String, String> identity, List<StoredCheckpoint> found) throws IOException {
    announce(found);
    log = restore(found);
    tracking.begin(log);
    try (DriverChannel channel = DriverChannel.open(spark, runId);
        MetricsFile metrics = MetricsFile.open(checked.folder(), log);
        CheckpointCommitter checkpoints =
            new CheckpointCommitter(
                checked.folder(),
                identity,
                checked.config().checkpoint().keep(),
                found,
                new Checkpoints(metrics))) {
      attempts(channel, metrics, checkpoints);
      metrics.requireComplete();
      return outcome;
    } finally {
      ended.countDown();
    }
  }

  /**
   * Makes the ranks leave with a checkpoint; returns when they have, or when that takes too long.
   *
   * @param most at most so long
   */
  void leaveInGoodOrder(Duration most) throws InterruptedException {
    display.line("Told to end: the ranks leave with a checkpoint ...");
    synchronized (this) {
      // whoever has lost the folder writes nothing more
      command =
          command == DriverCommand.LEAVE
              ? DriverCommand.LEAVE
              : DriverCommand.LEAVE_WITH_CHECKPOINT;
    }
    ended.await(Math.min(GOOD_ORDER.toMillis(), most.toMillis()), TimeUnit.MILLISECONDS);
  }

  /** Sends the ranks away, because the folder is another run's. */
  synchronized void leave() {
    command = DriverCommand.LEAVE;
  }

  /** Where the same command would go on. */
  String standing() {
    return lastCheckpoint == 0
        ? "There is no checkpoint yet: the same command begins anew."
        : String.format(Locale.ROOT, "The same command goes on after step %,d.", lastCheckpoint);
  }

  /** What has been measured so far. */
  MetricsLog metrics() {
    return log;
  }

  /** What has been shown so far. */
  Outcome outcome() {
    return outcome;
  }

  private MetricsLog restore(List<StoredCheckpoint> found) throws IOException {
    if (found.isEmpty()) {
      return new MetricsLog();
    }
    StoredCheckpoint from = found.get(0);
    MetricsLog log = MetricsLog.restore(from.metrics());
    outcome.restoreSamples(from.samples());
    outcome.rewind(log);
    record.rewind(log);
    lastCheckpoint = from.step();
    return log;
  }

  private void attempts(DriverChannel channel, MetricsFile metrics, CheckpointCommitter checkpoints)
      throws IOException {
    int inVain = 0;
    RepeatedFailure repeated = new RepeatedFailure();
    Optional<StoredCheckpoint> from = checkpoints.last();
    for (int number = 1; ; number++) {
      Attempt attempt =
          new Attempt(runId, number, checked.folder(), from.map(checkpoints::resume).orElse(null));
      record.attempt(attempt.id(), from.map(StoredCheckpoint::step).orElse(null));
      JobDescriptions.training(spark, number, stepOf(from));
      End end = attempt(attempt, channel, metrics, checkpoints);
      if (end instanceof End.Finished finished) {
        publish(attempt, finished.result());
        record.attemptEnded("It finished.");
        return;
      }
      String cause = end instanceof End.Failed failed ? failed.cause() : "It was told to end.";
      record.attemptEnded(cause);
      Optional<StoredCheckpoint> next = usable(checkpoints, cause);
      inVain = next.isPresent() && !next.equals(from) ? 0 : inVain + 1;
      lastCheckpoint = stepOf(next);
      boolean again = repeated.is(end, metrics.log().lastStep() > stepOf(from));
      requireAnother(end, cause, again ? checked.config().cluster().attempts() : inVain);
      again(cause, end, inVain, metrics, lastCheckpoint);
      from = next;
    }
  }

  /** What memory decides is decided once a run. */
  private void settle(MemoryChoice choice) {
    config = checked.config().withMemory(choice);
    record.settled(config);
  }

  private Optional<StoredCheckpoint> usable(CheckpointCommitter checkpoints, String cause) {
    try {
      return checkpoints.lastUsable(display::line);
    } catch (BadRequestException e) {
      throw new JobFailedException(cause + " " + e.getMessage(), e);
    }
  }

  private static long stepOf(Optional<StoredCheckpoint> checkpoint) {
    return checkpoint.map(StoredCheckpoint::step).orElse(0L);
  }

  private End attempt(
      Attempt attempt,
      DriverChannel channel,
      MetricsFile metrics,
      CheckpointCommitter checkpoints) {
    ProfileCollector profiles =
        new ProfileCollector(checked.folder(), attempt.id(), config.worldSize(), display::line);
    End end;
    try (DriverPulse pulse = new DriverPulse()) {
      FailureLog failures =
          new FailureLog(
              display::line,
              new ExecutorLogs(spark),
              pulse::explaining,
              networkTimeout(),
              replaced.ids());
      Consumer<RankEvent> monitor =
          profiles.andThen(
              new RunMonitor(
                  steps, display, metrics, record, failures, outcome, this::settle, tracking));
      Decommissions decommissions =
          new Decommissions(
              executor -> Executors.isBeingDecommissioned(spark, executor), display::line);
      end =
          new TrainingAttempt(
                  attempt, channel, () -> command, failures, monitor, checkpoints, decommissions)
              .run(spark, config);
    }
    if (config.profile().steps() > 0) {
      profiles.end(end instanceof End.Finished ? PROFILE : PROFILE_IN_A_HURRY);
    }
    try {
      checkpoints.end(COMMIT);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return end;
  }

  /** Throws where another attempt makes no sense. */
  private void requireAnother(End end, String cause, int inVain) {
    Exception error = end instanceof End.Failed failed ? failed.error() : null;
    switch (command) {
      case LEAVE -> throw lost(error);
      case LEAVE_WITH_CHECKPOINT ->
          throw new JobFailedException(JobFailedException.INTERRUPTED + " " + standing(), error);
      case GO_ON -> {
        boolean hopeless = end instanceof End.Failed failed && failed.hopeless();
        if (hopeless || inVain >= checked.config().cluster().attempts()) {
          throw new JobFailedException(
              lastCheckpoint == 0 ? cause : cause + " " + standing(), error);
        }
      }
    }
  }

  private JobFailedException lost(Exception error) {
    return new JobFailedException(held.loss().orElse("output.path is another run's now."), error);
  }

  private void again(String cause, End end, int inVain, MetricsFile metrics, long step) {
    metrics.rewind(step);
    tracking.rewound(step);
    outcome.rewind(metrics.log());
    record.rewind(metrics.log());
    if (end instanceof End.Failed failed) {
      failed.hungExecutor().ifPresent(replaced::replace);
    }
    Duration pause = pause(inVain);
    display.line(
        "Beginning again %s in %s s ..."
            .formatted(
                step == 0
                    ? "with the first step"
                    : String.format(Locale.ROOT, "after step %,d", step),
                pause.toSeconds()));
    try {
      Thread.sleep(pause.toMillis());
      replaced.awaitOthers(
          checked.config().cluster(), () -> command == DriverCommand.GO_ON && !spark.isStopped());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new JobFailedException(cause, e);
    }
  }

  private Duration networkTimeout() {
    return Duration.ofSeconds(spark.conf().getTimeAsSeconds("spark.network.timeout", "120s"));
  }

  private static Duration pause(int inVain) {
    Duration pause = FIRST_PAUSE;
    for (int i = 1; i < inVain && pause.compareTo(LONGEST_PAUSE) < 0; i++) {
      pause = pause.multipliedBy(5);
    }
    return pause.compareTo(LONGEST_PAUSE) < 0 ? pause : LONGEST_PAUSE;
  }

  private void publish(Attempt attempt, List<WrittenFile> result) throws IOException {
    held.requireHeld();
    ResultPublisher.publish(
        checked.folder(),
        attempt.id(),
        RunFolder.resultOf(checked.config().training().mode()),
        result);
  }

  private void announce(List<StoredCheckpoint> found) {
    display.line(
        String.format(
            Locale.ROOT,
            "Training %,d steps of %,d sequences on %s ranks ...",
            steps,
            config.globalBatch(),
            config.worldSize()));
    if (!found.isEmpty()) {
      display.line(String.format(Locale.ROOT, "Going on after step %,d ...", found.get(0).step()));
    }
  }

  /** What checkpoints take from the driver and tell it. */
  private final class Checkpoints implements CheckpointCommitter.Driver {
    private final MetricsFile metrics;

    Checkpoints(MetricsFile metrics) {
      this.metrics = metrics;
    }

    @Override
    public byte[] metricsUpTo(long step) throws InterruptedException {
      long deadline = System.nanoTime() + NEWS.toNanos();
      // the rank's thread tells of its step, another of the checkpoint
      while (metrics.log().lastStep() < step && System.nanoTime() < deadline) {
        Thread.sleep(10);
      }
      return metrics.log().upTo(step);
    }

    @Override
    public byte[] samples(long step) {
      return outcome.samplesJson(step);
    }

    @Override
    public boolean ownsFolder() throws IOException {
      return held.isHeld();
    }

    @Override
    public void completed(StoredCheckpoint checkpoint) {
      lastCheckpoint = checkpoint.step();
      record.checkpoint(checkpoint.step());
      tracking.checkpoint(checkpoint.step());
      metrics.flush();
    }

    @Override
    public void lost(long step, String sentence) {
      display.line(
          String.format(
              Locale.ROOT, "The checkpoint after step %,d is missing: %s", step, sentence));
    }
  }
}
