package dev.anneal.spark.progress;

import dev.anneal.training.trainer.StepMetrics;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.function.LongSupplier;
import java.util.function.UnaryOperator;

/**
 * Shows how a run goes on: on a terminal one line that renews itself, elsewhere a line every few
 * seconds.
 */
public final class ProgressDisplay {
  private static final long QUIET_NANOS = Duration.ofSeconds(5).toNanos();
  private static final long BRIEF_NANOS = Duration.ofSeconds(1).toNanos();
  private static final String CLEAR_REST = "\u001b[K";

  /** Where the lines go. */
  public enum Medium {
    TERMINAL,
    FILE;

    /** Where this process's standard output goes, as {@code submit.sh} has found. */
    public static Medium ofProcess() {
      return Boolean.getBoolean("anneal.terminal") ? TERMINAL : FILE;
    }
  }

  private final PrintWriter out;
  private final Medium medium;
  private final LongSupplier nanoClock;
  private final UnaryOperator<String> masked;
  private final ProgressLog log = new ProgressLog();
  private boolean lineOpen;
  private long shownAt;
  private long phaseAt;
  private long firstStep;
  private long firstStepAt;

  /**
   * @param masked what a line becomes before anybody sees it
   */
  public ProgressDisplay(
      PrintWriter out, Medium medium, LongSupplier nanoClock, UnaryOperator<String> masked) {
    this.out = out;
    this.medium = medium;
    this.masked = masked;
    this.nanoClock = nanoClock;
  }

  /** A line that stays. */
  public synchronized void line(String text) {
    if (lineOpen) {
      out.println();
      lineOpen = false;
    }
    String shown = masked.apply(text);
    out.println(shown);
    out.flush();
    log.line(shown);
  }

  /** Something long begins. */
  public synchronized void phase(String phase) {
    line(phase + " ...");
    phaseAt = nanoClock.getAsLong();
    shownAt = phaseAt;
  }

  /** A phase as ranks call it, such as {@code loading weights}. */
  public void phaseOfRanks(String phase) {
    phase(Character.toUpperCase(phase.charAt(0)) + phase.substring(1));
  }

  /** So much of the phase is done; of a short one nothing is shown. */
  public synchronized void progress(RankEvent.Progress progress) {
    long now = nanoClock.getAsLong();
    long since = now - phaseAt;
    boolean last = progress.doneBytes() == progress.totalBytes();
    if (since < (medium == Medium.TERMINAL ? BRIEF_NANOS : QUIET_NANOS)) {
      return;
    }
    show(ProgressLine.of(progress, left(progress, since)), now, last);
  }

  /** So many prompts are answered; of a short phase nothing is shown. */
  public synchronized void answers(AnswerProgress progress) {
    long now = nanoClock.getAsLong();
    long since = now - phaseAt;
    long done = progress.done() - progress.before();
    if (done == 0 || since < (medium == Medium.TERMINAL ? BRIEF_NANOS : QUIET_NANOS)) {
      return;
    }
    Duration left =
        Duration.ofNanos((long) ((double) since / done * (progress.total() - progress.done())));
    show(ProgressLine.of(progress, since, left), now, progress.done() == progress.total());
  }

  /**
   * So many pieces of the phase are done; of a short one nothing is shown.
   *
   * @param pieces what they are called
   */
  public synchronized void progress(String phase, long done, long total, String pieces) {
    long now = nanoClock.getAsLong();
    long since = now - phaseAt;
    if (since >= (medium == Medium.TERMINAL ? BRIEF_NANOS : QUIET_NANOS)) {
      Duration left = ofRest(done, total, since);
      show(ProgressLine.of(phase, done, total, pieces, left), now, done == total);
    }
  }

  /** A step is done. */
  public synchronized void step(StepMetrics metrics, long totalSteps) {
    long now = nanoClock.getAsLong();
    if (firstStep == 0) {
      firstStep = metrics.step();
      firstStepAt = now;
    }
    String line = ProgressLine.of(metrics, totalSteps, left(metrics.step(), totalSteps, now));
    show(line, now, metrics.step() == firstStep || metrics.step() == totalSteps);
  }

  /** Shows how far it is; to a file only what is worth a line. */
  private void show(String line, long now, boolean always) {
    log.renewed(line, now, always);
    switch (medium) {
      case TERMINAL -> {
        out.print("\r" + line + CLEAR_REST);
        lineOpen = true;
      }
      case FILE -> {
        if (!always && now - shownAt < QUIET_NANOS) {
          return;
        }
        out.println(line);
        shownAt = now;
      }
    }
    out.flush();
  }

  /** The held-out loss after so many steps. */
  public void evaluation(long step, double evalLoss) {
    line(String.format(Locale.ROOT, "held-out loss %.4f after %,d steps", evalLoss, step));
  }

  private static Duration left(RankEvent.Progress progress, long since) {
    return ofRest(progress.doneBytes(), progress.totalBytes(), since);
  }

  /** What is left of a phase, at the pace so far; {@code null} while nobody can tell. */
  private static Duration ofRest(long done, long total, long since) {
    return done == 0 ? null : Duration.ofNanos((long) ((double) since * (total - done) / done));
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
