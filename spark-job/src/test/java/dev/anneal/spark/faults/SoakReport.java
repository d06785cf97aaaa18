package dev.anneal.spark.faults;

import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What was done to runs, how long it took them to get further again, and what they said of it. */
final class SoakReport {
  private static final String ROW = "| %-52s | %6s | %8s | %8s | %9s | %6s |%n";

  /** What came of all faults of a kind. */
  private static final class Kind {
    final List<Duration> recoveries = new ArrayList<>();
    int sentences;
    int wrong;
  }

  private final long start = System.nanoTime();
  private final Map<SoakFault, Kind> kinds = new EnumMap<>(SoakFault.class);
  private final List<String> wrong = new ArrayList<>();
  private int faults;

  /** Faults so far. */
  int faults() {
    return faults;
  }

  /** Sentences about a cause that say what was not done, each behind what was. */
  List<String> wrong() {
    return wrong;
  }

  /**
   * Takes a fault down.
   *
   * @param recovery from the fault to a checkpoint of the time after it
   */
  void add(SoakFault fault, Duration recovery, int step) {
    faults++;
    kind(fault).recoveries.add(recovery);
    out()
        .printf(
            Locale.ROOT,
            "%4d  %-52s  %6s s  after step %s%n",
            faults,
            fault.words(),
            seconds(recovery),
            step);
  }

  /**
   * Compares what a run has said with what was done to it.
   *
   * @param hosts that were hit
   */
  void hear(SoakFault fault, Set<String> hosts, List<String> lines) {
    for (String line : lines) {
      if (Sentence.isOrdinary(line)) {
        continue;
      }
      Kind kind = kind(fault);
      kind.sentences++;
      boolean right =
          Sentence.trueOf(fault).stream().anyMatch(sentence -> sentence.is(line, hosts));
      if (!right) {
        kind.wrong++;
        wrong.add("%s at %s: %s".formatted(fault.words(), hosts, line));
      }
      out().printf("      %s %s%n", right ? "said:" : "WRONG:", line);
    }
  }

  /** Prints a table with a row a kind of fault. */
  void print() {
    long seconds = Duration.ofNanos(System.nanoTime() - start).toSeconds();
    out()
        .printf(
            Locale.ROOT, "%n%s faults in %s min %02d s%n%n", faults, seconds / 60, seconds % 60);
    out().printf(ROW, "fault", "times", "median s", "most s", "sentences", "wrong");
    out().printf(ROW, "---", "---", "---", "---", "---", "---");
    kinds.forEach(
        (fault, kind) -> {
          List<Duration> sorted = kind.recoveries.stream().sorted().toList();
          out()
              .printf(
                  ROW,
                  fault.words(),
                  sorted.size(),
                  sorted.isEmpty() ? "" : seconds(sorted.get(sorted.size() / 2)),
                  sorted.isEmpty() ? "" : seconds(sorted.get(sorted.size() - 1)),
                  kind.sentences,
                  kind.wrong);
        });
  }

  private Kind kind(SoakFault fault) {
    return kinds.computeIfAbsent(fault, none -> new Kind());
  }

  private static String seconds(Duration duration) {
    return String.format(Locale.ROOT, "%.1f", duration.toMillis() / 1000.0);
  }

  private static PrintStream out() {
    return System.out;
  }
}
