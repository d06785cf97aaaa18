package dev.anneal.spark.tracking;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.tracking.mlflow.MlflowSettings;
import dev.anneal.spark.tracking.mlflow.MlflowTracker;
import dev.anneal.spark.tracking.openlineage.LineageTracker;
import dev.anneal.spark.tracking.tensorboard.TensorBoardTracker;
import dev.anneal.training.trainer.StepMetrics;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.apache.spark.SparkContext$;

/**
 * Everybody who keeps what a run measures. Only remembers when something was measured; all else is
 * done by threads of its own.
 */
public final class Tracking {
  private static final Duration TENSORBOARD_INTERVAL = Duration.ofSeconds(1);
  private static final Duration MLFLOW_INTERVAL = Duration.ofSeconds(5);

  /** It is told when a run begins and when it ends. */
  private static final Duration LINEAGE_INTERVAL = Duration.ofMinutes(1);

  /** Of a run that has come to its end; the upload of an adapter has longer. */
  private static final Duration LAST_UPDATE = Duration.ofSeconds(30);

  private static final Duration UPLOAD = Duration.ofMinutes(30);

  /** Of a process that is told to end: what is left of half a minute. */
  private static final Duration INTERRUPTED = Duration.ofSeconds(2);

  private final TrackedRun run;
  private final Consumer<String> say;
  private final UnaryOperator<String> environment;
  private final List<Tracker> trackers = new ArrayList<>();
  private final List<TrackerThread> threads = new CopyOnWriteArrayList<>();
  private volatile Measurements measurements;
  private volatile RunGauges gauges;
  private boolean over;

  /**
   * @param say told of what somebody should know, a sentence each
   */
  public Tracking(TrackedRun run, Consumer<String> say) {
    this(run, say, System::getenv);
  }

  Tracking(TrackedRun run, Consumer<String> say, UnaryOperator<String> environment) {
    this.run = run;
    this.say = say;
    this.environment = environment;
  }

  /**
   * Whether what is asked for can be done, as far as that is known without asking anybody.
   *
   * @throws BadRequestException if it cannot
   */
  public static void check(AnnealConfig config) {
    // an environment that was not made for Anneal is no reason to refuse a run
    if (config.tracking().mlflowUri() != null) {
      MlflowSettings.of(config.tracking(), String.valueOf(config.output().path()), System::getenv);
    }
  }

  /**
   * Begins.
   *
   * @param log of the run, with what an earlier process has measured
   */
  public synchronized void begin(MetricsLog log) {
    if (over) {
      return;
    }
    AnnealConfig config = run.request().config();
    Measurements measured = new Measurements(log, System::currentTimeMillis);
    mlflow(config)
        .ifPresent(
            settings -> start(new MlflowTracker(settings, run, measured, say), MLFLOW_INTERVAL));
    if (config.tracking().tensorboard()) {
      start(new TensorBoardTracker(run, measured), TENSORBOARD_INTERVAL);
    }
    lineage().ifPresent(tracker -> start(tracker, LINEAGE_INTERVAL));
    RunGauges shown = new RunGauges(run.steps(), config.worldSize(), System::nanoTime);
    log.replay(shown::step, (step, evalLoss) -> shown.evaluation(evalLoss));
    gauges = shown.register();
    measurements = measured;
  }

  private Optional<MlflowSettings> mlflow(AnnealConfig config) {
    try {
      return MlflowSettings.of(config.tracking(), config.output().path(), environment);
    } catch (BadRequestException e) {
      say.accept("MLflow is left out: " + e.getMessage());
      return Optional.empty();
    }
  }

  private Optional<Tracker> lineage() {
    try {
      return SparkContext$.MODULE$.getActive().isDefined()
          ? LineageTracker.of(SparkContext$.MODULE$.getActive().get(), run)
          : Optional.empty();
    } catch (Tracker.Refusal | LinkageError e) {
      say.accept("OpenLineage is left out: " + e.getMessage());
      return Optional.empty();
    }
  }

  private void start(Tracker tracker, Duration interval) {
    trackers.add(tracker);
    threads.add(new TrackerThread(tracker, interval, say, run.masked()));
  }

  /** Something was measured, and the log is about to have it. */
  public void accept(RankEvent event) {
    Measurements measured = measurements;
    if (measured == null) {
      return;
    }
    if (event instanceof RankEvent.PeakMemory memory) {
      gauges.peakMemory(memory.bytes());
    } else if (event instanceof RankEvent.Step step) {
      gauges.step(step.metrics());
      measured.step(step.metrics().step());
    } else if (event instanceof RankEvent.Evaluation evaluation) {
      gauges.evaluation(evaluation.evalLoss());
      measured.evaluation(evaluation.step());
    }
  }

  /** The last step; empty before the first. */
  public Optional<StepMetrics> lastStep() {
    return Optional.ofNullable(gauges).map(RunGauges::last);
  }

  /** The last held-out loss; NaN where there is none. */
  public double evalLoss() {
    RunGauges shown = gauges;
    return shown == null ? Double.NaN : shown.evalLoss();
  }

  /** Optimizer steps of the whole run. */
  public long steps() {
    return run.steps();
  }

  /** A checkpoint is complete. */
  public void checkpoint(long step) {
    gauges.checkpoint(step);
  }

  /** The run goes on from an earlier step; the log has forgotten what came after it. */
  public synchronized void rewound(long step) {
    trackers.forEach(tracker -> tracker.rewound(step));
  }

  /** The run is about to be over: whoever keeps it does what is left to be done meanwhile. */
  public void ending(RunEnd end) {
    // without the lock, which an upload holds that is waited for
    threads.forEach(thread -> thread.end(end));
  }

  /**
   * The run is over: waits until everybody knows, though not for ever.
   *
   * @param most at most so long, if that is shorter than what they have anyway
   */
  public synchronized void end(RunEnd end, Duration most) {
    if (over) {
      return;
    }
    over = true;
    closeGauges();
    ending(end);
    long now = System.nanoTime();
    boolean interrupted = end.state() == RunEnd.State.INTERRUPTED;
    long deadline = now + nanos(interrupted ? INTERRUPTED : LAST_UPDATE, most);
    long longer = interrupted ? deadline : now + nanos(UPLOAD, most);
    threads.forEach(thread -> thread.await(deadline, longer));
  }

  private static long nanos(Duration usual, Duration most) {
    return Math.min(usual.toNanos(), most.toNanos());
  }

  /** The folder is another process's now, and so is the run. */
  public synchronized void abandon() {
    over = true;
    closeGauges();
    threads.forEach(TrackerThread::abandon);
  }

  private void closeGauges() {
    if (gauges != null) {
      gauges.close();
    }
  }
}
