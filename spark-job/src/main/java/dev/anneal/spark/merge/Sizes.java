package dev.anneal.spark.merge;

import java.util.Locale;

/** Sizes of files in powers of ten. */
final class Sizes {
  private static final double MB = 1e6;
  private static final double GB = 1e9;

  private Sizes() {}

  static String of(long bytes) {
    return bytes < GB
        ? String.format(Locale.ROOT, "%.1f MB", bytes / MB)
        : String.format(Locale.ROOT, "%,.1f GB", bytes / GB);
  }
}
