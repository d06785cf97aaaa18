package dev.anneal.spark.progress;

import java.time.Duration;
import java.util.Locale;

/** Sizes in powers of ten, as those of files are told, and times. */
public final class Sizes {
  private static final double GB = 1e9;
  private static final double MB = 1e6;

  private Sizes() {}

  /** Such as {@code 4.8 GB}. */
  public static String of(long bytes) {
    return bytes >= GB
        ? String.format(Locale.ROOT, "%.1f GB", bytes / GB)
        : String.format(Locale.ROOT, bytes >= 10 * MB ? "%.0f MB" : "%.1f MB", bytes / MB);
  }

  /** Such as {@code 286 MB/s}. */
  public static String rate(long bytes, long nanos) {
    return String.format(Locale.ROOT, "%.0f MB/s", bytes * 1e3 / Math.max(1, nanos));
  }

  /** Minutes and seconds, and hours where there are some. */
  public static String time(Duration time) {
    return time.toHours() > 0
        ? String.format(
            Locale.ROOT, "%s:%02d:%02d", time.toHours(), time.toMinutesPart(), time.toSecondsPart())
        : String.format(Locale.ROOT, "%02d:%02d", time.toMinutesPart(), time.toSecondsPart());
  }
}
