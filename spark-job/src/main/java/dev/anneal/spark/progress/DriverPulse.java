package dev.anneal.spark.progress;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Notices when the driver itself stands still: its process is stopped, or its machine has no time
 * for it. What others then did not hear of it is nobody else's fault.
 */
public final class DriverPulse implements AutoCloseable {
  private static final Duration BEAT = Duration.ofMillis(500);

  /** Collections of garbage and busy machines take less. */
  private static final Duration PAUSE = Duration.ofSeconds(4);

  /** A time without a beat, in nanoseconds. */
  private record Pause(long begin, long end) {
    long nanos() {
      return end - begin;
    }

    long nanosSince(long start) {
      return Math.max(0, end - Math.max(begin, start));
    }
  }

  private final List<Pause> pauses = new ArrayList<>();
  private final Thread thread;
  private long last;

  public DriverPulse() {
    this(System.nanoTime());
    thread.start();
  }

  DriverPulse(long now) {
    last = now;
    thread = new Thread(this::beat, "anneal-pulse");
    thread.setDaemon(true);
  }

  /**
   * How long the driver has stood still for, if that explains why nobody has heard of another, or
   * another nothing of it; zero if it does not.
   *
   * @param silence for how long, up to now
   */
  public Duration explaining(Duration silence) {
    return explaining(silence, System.nanoTime());
  }

  synchronized Duration explaining(Duration silence, long now) {
    // whoever asks may have woken before the beat
    beat(now);
    long start = now - silence.toNanos();
    List<Pause> meanwhile = pauses.stream().filter(pause -> pause.nanosSince(start) > 0).toList();
    long still = meanwhile.stream().mapToLong(pause -> pause.nanosSince(start)).sum();
    // what came before the pause and after it was silent as well
    return still < silence.toNanos() / 2
        ? Duration.ZERO
        : Duration.ofNanos(meanwhile.stream().mapToLong(Pause::nanos).sum());
  }

  synchronized void beat(long now) {
    Pause pause = new Pause(last + BEAT.toNanos(), now);
    if (pause.nanos() > PAUSE.toNanos()) {
      pauses.add(pause);
    }
    last = now;
  }

  private void beat() {
    try {
      while (true) {
        Thread.sleep(BEAT.toMillis());
        beat(System.nanoTime());
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
