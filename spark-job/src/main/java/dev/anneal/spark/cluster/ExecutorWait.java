package dev.anneal.spark.cluster;

import java.time.Duration;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;
import java.util.function.Supplier;

/** Waits until there are as many executors as ranks need, without those that are being replaced. */
public final class ExecutorWait {
  private static final Duration LOOK = Duration.ofMillis(200);

  private final Supplier<Set<String>> executors;
  private final Set<String> replaced;

  /**
   * @param executors ids of those that Spark counts
   * @param replaced those that were told to end: Spark counts them until they have
   */
  public ExecutorWait(Supplier<Set<String>> executors, Set<String> replaced) {
    this.executors = executors;
    this.replaced = replaced;
  }

  /**
   * Returns when there are enough, when there is no more sense in it, or when its time is over.
   *
   * @param waiting told how many there are, if there are too few
   */
  public void until(int enough, Duration patience, BooleanSupplier sense, IntConsumer waiting)
      throws InterruptedException {
    if (count() >= enough) {
      return;
    }
    waiting.accept(count());
    long deadline = System.nanoTime() + patience.toNanos();
    while (count() < enough && sense.getAsBoolean() && System.nanoTime() < deadline) {
      Thread.sleep(LOOK.toMillis());
    }
  }

  private int count() {
    return (int) executors.get().stream().filter(executor -> !replaced.contains(executor)).count();
  }
}
