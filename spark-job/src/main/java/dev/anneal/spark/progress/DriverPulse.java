package dev.anneal.spark.progress;

import java.time.Duration;

/**
 * Notices when the driver itself stands still: its process is stopped, or its machine has no time
 * for it. What others then did not hear of it is nobody else's fault.
 */
public final class DriverPulse implements AutoCloseable {
  private static final Duration BEAT = Duration.ofMillis(500);

  /** Collections of garbage and busy machines take less. */
  private static final Duration PAUSE = Duration.ofSeconds(4);

  private final Thread thread;
  private volatile Duration longest = Duration.ZERO;

  public DriverPulse() {
    thread = new Thread(this::beat, "anneal-pulse");
    thread.setDaemon(true);
    thread.start();
  }

  /** The longest time that the driver has stood still for since this began; zero if it has not. */
  public Duration longestPause() {
    return longest;
  }

  private void beat() {
    long last = System.nanoTime();
    try {
      while (true) {
        Thread.sleep(BEAT.toMillis());
        long now = System.nanoTime();
        Duration pause = Duration.ofNanos(now - last).minus(BEAT);
        if (pause.compareTo(PAUSE) > 0 && pause.compareTo(longest) > 0) {
          longest = pause;
        }
        last = now;
      }
    } catch (InterruptedException closed) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}
