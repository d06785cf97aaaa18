package dev.anneal.spark.faults;

import java.time.Duration;
import java.util.concurrent.Callable;

/** Waits for what other processes do. */
public final class Await {
  private static final Duration PAUSE = Duration.ofMillis(50);

  private Await() {}

  /**
   * Returns when {@code condition} holds.
   *
   * @param otherwise what to say if it does not within {@code patience}
   */
  public static void until(
      Duration patience, Callable<String> otherwise, Callable<Boolean> condition) throws Exception {
    long deadline = System.nanoTime() + patience.toNanos();
    while (!condition.call()) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError(otherwise.call());
      }
      Thread.sleep(PAUSE.toMillis());
    }
  }
}
