package dev.anneal.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * How much of the host's memory is taken from here on, by everything on it: what {@code
 * /proc/meminfo} calls available goes down by that, page-locked memory included, which belongs to
 * no process in the kernel's books where CUDA has allocated it.
 */
final class HostMemoryPeak {
  private static final Path MEMINFO = Path.of("/proc/meminfo");
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final long PAUSE = TimeUnit.MILLISECONDS.toNanos(50);
  private static final long KIB = 1024;

  private final long before;
  private volatile long least;

  private HostMemoryPeak(long before) {
    this.before = before;
    this.least = before;
  }

  /** Looks twenty times a second until the process ends. */
  static HostMemoryPeak watch() throws IOException {
    HostMemoryPeak peak = new HostMemoryPeak(available());
    Thread thread = new Thread(peak::look, "host memory");
    thread.setDaemon(true);
    thread.start();
    return peak;
  }

  private void look() {
    try {
      while (!Thread.interrupted()) {
        least = Math.min(least, available());
        LockSupport.parkNanos(PAUSE);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** At most so far, in bytes. */
  long bytes() {
    return before - least;
  }

  /** The most of it that was resident in this process, in bytes. */
  static long residentBytes() throws IOException {
    return value(STATUS, "VmHWM:");
  }

  private static long available() throws IOException {
    return value(MEMINFO, "MemAvailable:");
  }

  private static long value(Path file, String name) throws IOException {
    for (String line : Files.readAllLines(file)) {
      if (line.startsWith(name)) {
        return Long.parseLong(line.substring(name.length()).replace("kB", "").strip()) * KIB;
      }
    }
    throw new IOException("no %s in %s".formatted(name, file));
  }
}
