package dev.anneal.spark.progress;

import dev.anneal.training.trainer.StepMetrics;
import java.time.Duration;
import java.util.Locale;

/** The words of the progress line. */
final class ProgressLine {
  private static final long MIB = 1L << 20;
  private static final long MB = 1_000_000;
  private static final long GB = 1_000_000_000;

  private ProgressLine() {}

  /**
   * One line for a step that is done.
   *
   * @param left {@code null} while nobody can tell
   */
  static String of(StepMetrics metrics, long totalSteps, Duration left) {
    return String.format(
        Locale.ROOT,
        "step %"
            + Long.toString(totalSteps).length()
            + "d/%s  loss %.4f  %,.0f tokens/s  %s  %s left",
        metrics.step(),
        totalSteps,
        metrics.loss(),
        metrics.tokensPerSecond(),
        bytes(metrics.peakMemoryBytes()),
        left == null ? "--:--" : Sizes.time(left));
  }

  /**
   * How far a phase is, in powers of ten as file sizes are told.
   *
   * @param left {@code null} while nobody can tell
   */
  static String of(RankEvent.Progress progress, Duration left) {
    boolean large = progress.totalBytes() >= GB;
    double unit = large ? GB : MB;
    return String.format(
        Locale.ROOT,
        large ? "%s %.1f of %.1f GB, %s left" : "%s %.0f of %.0f MB, %s left",
        progress.phase(),
        progress.doneBytes() / unit,
        progress.totalBytes() / unit,
        left == null ? "--:--" : Sizes.time(left));
  }

  /**
   * How many prompts are answered.
   *
   * @param nanos that the tokens have taken
   */
  static String of(AnswerProgress progress, long nanos, Duration left) {
    return String.format(
        Locale.ROOT,
        "%,d/%,d prompts  %,.0f tokens/s  %s left",
        progress.done(),
        progress.total(),
        progress.tokens() * 1e9 / Math.max(1, nanos),
        Sizes.time(left));
  }

  /**
   * How far a phase is in pieces.
   *
   * @param left {@code null} while nobody can tell
   */
  static String of(String phase, long done, long total, String pieces, Duration left) {
    return String.format(
        Locale.ROOT,
        "%s %,d of %,d %s, %s left",
        phase,
        done,
        total,
        pieces,
        left == null ? "--:--" : Sizes.time(left));
  }

  static String bytes(long bytes) {
    return bytes < 1024 * MIB
        ? "%s MiB".formatted(bytes / MIB)
        : String.format(Locale.ROOT, "%.1f GiB", bytes / (1024.0 * MIB));
  }
}
