package dev.anneal.spark.progress;

import dev.anneal.training.trainer.StepMetrics;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * Shows how a run goes on: on a terminal one line that renews itself, elsewhere a line every few
 * seconds.
 */
public final class ProgressDisplay {
  private static final long QUIET_NANOS = Duration.ofSeconds(5).toNanos();
  private static final String CLEAR_REST = "\u001b[K";

  /** Where the lines go. */
  public enum Medium {
    TERMINAL,
    FILE
  }

  private final PrintWriter out;
  private final Medium medium;
  private final LongSupplier nanoClock;
  private boolean lineOpen;
  private boolean shown;
  private long shownAt;
  private long firstStep;
  private long firstStepAt;

  public ProgressDisplay(PrintWriter out, Medium medium, LongSupplier nanoClock) {
    this.out = out;
    this.medium = medium;
    this.nanoClock = nanoClock;
  }

  /** A line that stays. */
  public synchronized void line(String text) {
    if (lineOpen) {
      out.println();
      lineOpen = false;
    }
    out.println(text);
    out.flush();
  }

  /** A step is done. */
  public synchronized void step(StepMetrics metrics, long totalSteps) {
    long now = nanoClock.getAsLong();
    if (firstStep == 0) {
      firstStep = metrics.step();
      firstStepAt = now;
    }
    String line = ProgressLine.of(metrics, totalSteps, left(metrics.step(), totalSteps, now));
    switch (medium) {
      case TERMINAL -> {
        out.print("\r" + line + CLEAR_REST);
        lineOpen = true;
      }
      case FILE -> {
        if (shown && now - shownAt < QUIET_NANOS && metrics.step() < totalSteps) {
          return;
        }
        out.println(line);
        shown = true;
        shownAt = now;
      }
    }
    out.flush();
  }

  /** The held-out loss after so many steps. */
  public void evaluation(long step, double evalLoss) {
    line(String.format(Locale.ROOT, "held-out loss %.4f after %,d steps", evalLoss, step));
  }

  // The first step warms up and tells nothing about the others.
  private Duration left(long step, long totalSteps, long now) {
    if (step == totalSteps) {
      return Duration.ZERO;
    }
    return step == firstStep
        ? null
        : Duration.ofNanos((now - firstStepAt) / (step - firstStep) * (totalSteps - step));
  }
}
