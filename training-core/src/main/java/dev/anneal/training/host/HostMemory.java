package dev.anneal.training.host;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Memory of the machine that this process runs on, in bytes. What CUDA locks ({@code
 * cudaHostAlloc}) is locked by its driver, which does not ask for {@code ulimit -l}; it is memory
 * of the machine like any other.
 *
 * @param totalBytes of the machine, or of the container where that has less
 * @param machineFreeBytes what the machine can give without swapping
 * @param containerFreeBytes what the container may still take; {@link Long#MAX_VALUE}: no limit
 * @param ownBytes what this process has of it already
 * @param container what tells this process's container from others of the machine
 */
public record HostMemory(
    long totalBytes,
    long machineFreeBytes,
    long containerFreeBytes,
    long ownBytes,
    String container) {
  /** Stands for {@code /}, so that other machines than this one can be shown. */
  public static final String ROOT_PROPERTY = "anneal.host.root";

  private static final long UNKNOWN = Long.MAX_VALUE;

  /** Of this process; where Linux does not say, there is no bound. */
  public static HostMemory here() {
    try {
      return read(Path.of(System.getProperty(ROOT_PROPERTY, "/")));
    } catch (IOException | NumberFormatException e) {
      return new HostMemory(UNKNOWN, UNKNOWN, UNKNOWN, 0, "");
    }
  }

  /**
   * Likewise.
   *
   * @param root what has {@code proc} and {@code sys}
   */
  static HostMemory read(Path root) throws IOException {
    String meminfo = Files.readString(root.resolve("proc/meminfo"));
    Path groups = root.resolve("proc/self/cgroup");
    String container = Files.isReadable(groups) ? Files.readString(groups) : "";
    long total = kib(meminfo, "MemTotal");
    long limitFree = UNKNOWN;
    for (Cgroup.Limit limit : Cgroup.limits(container, root.resolve("sys/fs/cgroup"))) {
      total = Math.min(total, limit.bytes());
      limitFree = Math.min(limitFree, limit.freeBytes());
    }
    Path status = root.resolve("proc/self/status");
    long own = Files.isReadable(status) ? kib(Files.readString(status), "VmRSS") : 0;
    return new HostMemory(total, kib(meminfo, "MemAvailable"), limitFree, own, container);
  }

  /** What this process alone could take. */
  public long freeBytes() {
    return Math.min(machineFreeBytes, containerFreeBytes);
  }

  /** The largest resident set of this process so far, in bytes; 0 where Linux does not say. */
  public static long residentPeakBytes() {
    try {
      long peak = kib(Files.readString(Path.of("/proc/self/status")), "VmHWM");
      return peak == UNKNOWN ? 0 : peak;
    } catch (IOException e) {
      return 0;
    }
  }

  private static long kib(String meminfo, String name) {
    return meminfo
        .lines()
        .filter(line -> line.startsWith(name + ":"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
        .findFirst()
        .orElse(UNKNOWN);
  }
}
