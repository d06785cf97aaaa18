package dev.anneal.spark.train;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.util.ShutdownHookManager;

/**
 * Gives the ranks of a process that is told to end (a spot node that is taken back, a preempted
 * container) the time to leave in good order.
 */
final class GracefulShutdown implements AutoCloseable {
  // before Spark (50) and the file systems (10) shut down
  private static final int PRIORITY = 60;
  private static final Duration PATIENCE = Duration.ofSeconds(25);

  private final CountDownLatch left = new CountDownLatch(1);
  private final Thread hook;

  private GracefulShutdown(Runnable toldToEnd) {
    hook =
        new Thread(
            () -> {
              toldToEnd.run();
              awaitLeaving();
            },
            "leave in good order");
    ShutdownHookManager.get()
        .addShutdownHook(hook, PRIORITY, PATIENCE.toSeconds() + 1, TimeUnit.SECONDS);
  }

  /**
   * Watches an executor's process; that of a driver watches itself.
   *
   * @param toldToEnd called when the process has been told to end
   * @return {@code null} in the driver's process
   */
  static GracefulShutdown of(Runnable toldToEnd) {
    return NodeTask.isExecutor() ? new GracefulShutdown(toldToEnd) : null;
  }

  private void awaitLeaving() {
    try {
      left.await(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    left.countDown();
    if (!ShutdownHookManager.get().isShutdownInProgress()) {
      ShutdownHookManager.get().removeShutdownHook(hook);
    }
  }
}
