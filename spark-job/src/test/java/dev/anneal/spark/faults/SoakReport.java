package dev.anneal.spark.faults;

import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What was done to a run, and how long it took to get further again. */
final class SoakReport {
  private static final String ROW = "| %-45s | %6s | %8s | %8s |%n";

  private final long start = System.nanoTime();
  private final Map<SoakFault, List<Duration>> recoveries = new EnumMap<>(SoakFault.class);
  private int faults;

  /** Faults so far. */
  int faults() {
    return faults;
  }

  /**
   * Takes a fault down.
   *
   * @param recovery from the fault to a checkpoint of the time after it
   */
  void add(SoakFault fault, Duration recovery, int step) {
    faults++;
    recoveries.computeIfAbsent(fault, none -> new ArrayList<>()).add(recovery);
    out()
        .printf(
            Locale.ROOT,
            "%4d  %-45s  %6s s  after step %s%n",
            faults,
            fault.words(),
            seconds(recovery),
            step);
  }

  /** Prints a table with a row a kind of fault. */
  void print() {
    long seconds = Duration.ofNanos(System.nanoTime() - start).toSeconds();
    out()
        .printf(
            Locale.ROOT, "%n%s faults in %s min %02d s%n%n", faults, seconds / 60, seconds % 60);
    out().printf(ROW, "fault", "times", "median s", "most s");
    out().printf(ROW, "---", "---", "---", "---");
    recoveries.forEach(
        (fault, times) -> {
          List<Duration> sorted = times.stream().sorted().toList();
          out()
              .printf(
                  ROW,
                  fault.words(),
                  sorted.size(),
                  seconds(sorted.get(sorted.size() / 2)),
                  seconds(sorted.get(sorted.size() - 1)));
        });
  }

  private static String seconds(Duration duration) {
    return String.format(Locale.ROOT, "%.1f", duration.toMillis() / 1000.0);
  }

  private static PrintStream out() {
    return System.out;
  }
}
