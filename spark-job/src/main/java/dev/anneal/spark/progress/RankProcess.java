package dev.anneal.spark.progress;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** What the driver knows of a process that runs ranks. */
final class RankProcess {
  private final List<RankEvent.Started> ranks = new ArrayList<>();
  private long lastSign = System.nanoTime();

  void add(RankEvent.Started rank) {
    ranks.add(rank);
    alive();
  }

  void alive() {
    lastSign = System.nanoTime();
  }

  /** How long it has given no sign of life for. */
  Duration silence() {
    return Duration.ofNanos(System.nanoTime() - lastSign);
  }

  /** Spark's id of it. */
  String executor() {
    return ranks.get(0).executor();
  }

  long pid() {
    return ranks.get(0).pid();
  }

  boolean hasTold(RankEvent.Failed failure) {
    return ranks.stream().anyMatch(rank -> rank.rank() == failure.rank());
  }

  /** Its ranks and where they are. */
  String names() {
    RankEvent.Started first = ranks.get(0);
    return ranks.size() == 1
        ? "rank %s on %s".formatted(first.rank(), first.host())
        : "ranks %s to %s on %s"
            .formatted(first.rank(), ranks.get(ranks.size() - 1).rank(), first.host());
  }
}
