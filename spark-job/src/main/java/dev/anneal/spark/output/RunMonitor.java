package dev.anneal.spark.output;

import dev.anneal.spark.progress.FailureLog;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.tracking.Tracking;
import dev.anneal.training.trainer.MemoryChoice;
import java.time.Duration;
import java.util.function.Consumer;

/** Takes what the ranks of an attempt measure on the driver to everybody who wants to know. */
public final class RunMonitor implements Consumer<RankEvent> {
  private final long totalSteps;
  private final ProgressDisplay display;
  private final MetricsFile metrics;
  private final RunRecord record;
  private final FailureLog failures;
  private final Outcome outcome;
  private final Consumer<MemoryChoice> settled;
  private final Tracking tracking;

  /**
   * @param settled told of what the ranks' memory has decided
   */
  public RunMonitor(
      long totalSteps,
      ProgressDisplay display,
      MetricsFile metrics,
      RunRecord record,
      FailureLog failures,
      Outcome outcome,
      Consumer<MemoryChoice> settled,
      Tracking tracking) {
    this.totalSteps = totalSteps;
    this.display = display;
    this.metrics = metrics;
    this.record = record;
    this.failures = failures;
    this.outcome = outcome;
    this.settled = settled;
    this.tracking = tracking;
  }

  @Override
  public void accept(RankEvent event) {
    // before the log has it, which others read
    tracking.accept(event);
    // instanceof and not a switch over the sealed type: that is Java 21
    if (event instanceof RankEvent.Started started) {
      failures.started(started);
      record.rank(started);
    } else if (event instanceof RankEvent.MemoryAgreed memory) {
      memory.sentences().forEach(display::line);
      if (memory.choice() != null) {
        settled.accept(memory.choice());
      }
    } else if (event instanceof RankEvent.Phase phase) {
      display.phase(phase.phase());
      record.phase(phase.phase());
    } else if (event instanceof RankEvent.Progress progress) {
      display.progress(progress);
    } else if (event instanceof RankEvent.PeakMemory memory) {
      record.peakMemory(memory.bytes());
    } else if (event instanceof RankEvent.Step step) {
      metrics.step(step.metrics());
      record.step(step.metrics());
      outcome.step(step.metrics());
      display.step(step.metrics(), totalSteps);
    } else if (event instanceof RankEvent.Evaluation evaluation) {
      metrics.evaluation(evaluation.step(), evaluation.evalLoss());
      record.evaluation(evaluation.step(), evaluation.evalLoss());
      outcome.evaluation(evaluation.step(), evaluation.evalLoss());
      display.evaluation(evaluation.step(), evaluation.evalLoss());
    } else if (event instanceof RankEvent.Ended ended) {
      record.ended(ended.end());
      outcome.ended(ended.end());
      EndSentence.of(ended.end()).ifPresent(display::line);
    } else if (event instanceof RankEvent.Sample sample) {
      outcome.sample(sample);
    } else if (event instanceof RankEvent.ToldToEnd told) {
      display.line(ends(told, failures.standstill()));
    } else if (event instanceof RankEvent.Alive alive) {
      failures.alive(alive.executor());
    } else if (event instanceof RankEvent.DriverSilent silent) {
      failures.driverSilent(silent);
    } else if (event instanceof RankEvent.Failed failed) {
      failures.failed(failed);
    }
  }

  /** An executor ends in the same way when it hears nothing of the driver. */
  private static String ends(RankEvent.ToldToEnd told, Duration standstill) {
    String process = "The process of rank %s on %s".formatted(told.rank(), told.host());
    return standstill.isZero()
        ? process + " was told to end: all ranks leave with a checkpoint."
        : "%s ends: it was told to, or has heard nothing of the driver, which stood still for %s s. All ranks leave with a checkpoint."
            .formatted(process, standstill.toSeconds());
  }
}
