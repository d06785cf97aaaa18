package dev.anneal.spark.job;

import dev.anneal.spark.progress.DriverCommand;
import dev.anneal.spark.progress.RankEvent;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * The executors of an attempt that the cluster takes back. Spark lets their tasks run on, so the
 * ranks are told to leave with a checkpoint, as if the process had got SIGTERM.
 */
final class Decommissions {
  private final Map<String, RankEvent.Started> executors = new ConcurrentHashMap<>();
  private final Predicate<String> takenBack;
  private final Consumer<String> announce;
  private boolean announced;

  /**
   * @param takenBack whether the cluster takes an executor back
   */
  Decommissions(Predicate<String> takenBack, Consumer<String> announce) {
    this.takenBack = takenBack;
    this.announce = announce;
  }

  void started(RankEvent.Started rank) {
    executors.putIfAbsent(rank.executor(), rank);
  }

  /** What the ranks of the attempt are to do, where the driver has told them {@code command}. */
  synchronized DriverCommand amend(DriverCommand command) {
    if (!announced) {
      executors.values().stream()
          .filter(rank -> takenBack.test(rank.executor()))
          .findFirst()
          .ifPresent(this::announce);
    }
    return announced && command == DriverCommand.GO_ON
        ? DriverCommand.LEAVE_WITH_CHECKPOINT
        : command;
  }

  private void announce(RankEvent.Started rank) {
    announced = true;
    announce.accept(
        "The cluster takes the executor of rank %s on %s back: all ranks leave with a checkpoint."
            .formatted(rank.rank(), rank.host()));
  }
}
