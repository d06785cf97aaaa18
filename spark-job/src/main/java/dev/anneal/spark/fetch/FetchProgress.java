package dev.anneal.spark.fetch;

import dev.anneal.spark.progress.ProgressDisplay.Medium;
import dev.anneal.spark.progress.Sizes;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * Shows how a fetch goes on: on a terminal one line that renews itself, elsewhere a line every few
 * seconds.
 */
final class FetchProgress {
  private static final String CLEAR_REST = "\u001b[K";

  private final PrintWriter out;
  private final Medium medium;
  private final LongSupplier nanoClock;
  private final long startedAt;
  private final long intervalNanos;
  private long total;
  private long fetched;
  private long shownAt;
  private boolean lineOpen;

  FetchProgress(PrintWriter out, Medium medium, LongSupplier nanoClock) {
    this.out = out;
    this.medium = medium;
    this.nanoClock = nanoClock;
    this.startedAt = nanoClock.getAsLong();
    this.shownAt = startedAt;
    this.intervalNanos = Duration.ofSeconds(medium == Medium.TERMINAL ? 1 : 5).toNanos();
  }

  /** So much is to come. */
  synchronized void expect(long bytes) {
    total += bytes;
  }

  /** So much more has come. */
  synchronized void add(long bytes) {
    fetched += bytes;
    long now = nanoClock.getAsLong();
    if (now - shownAt < intervalNanos) {
      return;
    }
    shownAt = now;
    if (medium == Medium.TERMINAL) {
      out.print("\r" + text(now) + CLEAR_REST);
      lineOpen = true;
    } else {
      out.println(text(now));
    }
    out.flush();
  }

  /** A line that stays. */
  synchronized void line(String text) {
    if (lineOpen) {
      out.println();
      lineOpen = false;
    }
    out.println(text);
    out.flush();
  }

  private String text(long now) {
    long nanos = Math.max(1, now - startedAt);
    long left = (long) ((double) nanos * Math.max(0, total - fetched) / Math.max(1, fetched));
    return "%s of %s  %s  %s left"
        .formatted(
            Sizes.of(fetched),
            Sizes.of(total),
            Sizes.rate(fetched, nanos),
            Sizes.time(Duration.ofNanos(left)));
  }

  /** How much has come in all, and how fast. */
  synchronized String summary() {
    long nanos = nanoClock.getAsLong() - startedAt;
    return "%s in %s (%s)"
        .formatted(
            Sizes.of(fetched), Sizes.time(Duration.ofNanos(nanos)), Sizes.rate(fetched, nanos));
  }

  synchronized long fetched() {
    return fetched;
  }
}
