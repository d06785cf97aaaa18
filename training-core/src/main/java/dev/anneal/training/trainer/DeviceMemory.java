package dev.anneal.training.trainer;

import dev.anneal.training.cuda.GpuMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The memory that counts where a rank computes. */
final class DeviceMemory {
  private static final Path STATUS = Path.of("/proc/self/status");

  private DeviceMemory() {}

  /**
   * The most bytes that tensors on the rank's device held at once, libtorch's and those in memory
   * that is taken beside it; on the host {@link #residentPeak}.
   */
  static long peakBytes(Ranks ranks) {
    return ranks.device().isGpu()
        ? new GpuMemory(ranks.device()).peakAllocatedBytes() + ranks.mapped().peakBytes()
        : residentPeak();
  }

  /** The largest resident set so far in bytes (Linux); 0 where the system does not say. */
  private static long residentPeak() {
    try {
      return Files.readAllLines(STATUS).stream()
          .filter(line -> line.startsWith("VmHWM:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
          .findFirst()
          .orElse(0);
    } catch (IOException e) {
      return 0;
    }
  }
}
