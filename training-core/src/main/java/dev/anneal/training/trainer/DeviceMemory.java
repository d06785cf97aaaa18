package dev.anneal.training.trainer;

import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.host.HostMemory;

/** The memory that counts where a rank computes. */
final class DeviceMemory {
  private DeviceMemory() {}

  /**
   * The most bytes that tensors on the rank's device held at once, libtorch's and those in memory
   * that is taken beside it; on the host {@link HostMemory#residentPeakBytes}.
   */
  static long peakBytes(Ranks ranks) {
    return ranks.device().isGpu()
        ? new GpuMemory(ranks.device()).peakAllocatedBytes() + ranks.mapped().peakBytes()
        : HostMemory.residentPeakBytes();
  }
}
