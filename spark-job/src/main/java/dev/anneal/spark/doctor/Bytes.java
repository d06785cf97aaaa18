package dev.anneal.spark.doctor;

import java.util.Locale;
import java.util.OptionalLong;

/** Sizes and speeds as the table shows them. */
final class Bytes {
  private static final double GIB = 1 << 30;
  private static final double MIB = 1 << 20;

  private Bytes() {}

  static String size(long bytes) {
    return bytes < GIB
        ? String.format(Locale.ROOT, "%.0f MiB", bytes / MIB)
        : String.format(Locale.ROOT, "%.1f GiB", bytes / GIB);
  }

  static String limit(OptionalLong bytes) {
    return bytes.isPresent() ? size(bytes.getAsLong()) : "none";
  }

  static String speed(long bytes, long nanos) {
    return String.format(Locale.ROOT, "%.0f MB/s", bytes * 1e3 / Math.max(1, nanos));
  }
}
