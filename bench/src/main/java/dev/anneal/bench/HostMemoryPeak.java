package dev.anneal.bench;

import dev.anneal.training.host.HostMemory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * How much of the host's memory is taken from here on, by everything on it: what {@code
 * /proc/meminfo} calls available goes down by that, page-locked memory included, which belongs to
 * no process in the kernel's books where CUDA has allocated it.
 */
final class HostMemoryPeak {
  private static final long PAUSE = TimeUnit.MILLISECONDS.toNanos(50);

  private final long before;
  private volatile long least;

  private HostMemoryPeak(long before) {
    this.before = before;
    this.least = before;
  }

  /** Looks twenty times a second until the process ends. */
  static HostMemoryPeak watch() {
    HostMemoryPeak peak = new HostMemoryPeak(available());
    Thread thread = new Thread(peak::look, "host memory");
    thread.setDaemon(true);
    thread.start();
    return peak;
  }

  private void look() {
    while (!Thread.interrupted()) {
      least = Math.min(least, available());
      LockSupport.parkNanos(PAUSE);
    }
  }

  /** At most so far, in bytes. */
  long bytes() {
    return before - least;
  }

  private static long available() {
    return HostMemory.here().machineFreeBytes();
  }
}
