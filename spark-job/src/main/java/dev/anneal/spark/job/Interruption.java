package dev.anneal.spark.job;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.util.ShutdownHookManager;

/** What is done when the driver's process is told to end in the middle of its work. */
public final class Interruption implements AutoCloseable {
  // before Spark (50) and the file systems (10) shut down
  private static final int PRIORITY = 60;

  // spot nodes and YARN give half a minute
  private static final Duration LIMIT = Duration.ofSeconds(29);

  private final ShutdownHookManager hooks = ShutdownHookManager.get();
  private final Thread hook;

  /**
   * Watches until it is closed.
   *
   * @param work done when the process is told to end
   */
  public Interruption(Runnable work) {
    this.hook = new Thread(work, "interruption");
    hooks.addShutdownHook(hook, PRIORITY, LIMIT.toSeconds(), TimeUnit.SECONDS);
  }

  /** Whether the process has been told to end. */
  public boolean isUnderWay() {
    return hooks.isShutdownInProgress();
  }

  @Override
  public void close() {
    if (!isUnderWay()) {
      hooks.removeShutdownHook(hook);
    }
  }
}
