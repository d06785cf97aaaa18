package dev.anneal.training.cuda;

import dev.anneal.training.tensor.Device;
import java.util.function.ToLongFunction;
import org.bytedeco.pytorch.SizeTPair;
import org.bytedeco.pytorch.cuda.CUDAAllocator;
import org.bytedeco.pytorch.cuda.DeviceStats;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * What libtorch's caching allocator holds of a GPU's memory, over all threads of the process. On
 * the host, which it does not serve, every number is 0.
 */
public record GpuMemory(Device device) {

  /** Bytes of all tensors. */
  public long allocatedBytes() {
    return read(stats -> stats.allocated_bytes().current());
  }

  /** The largest {@link #allocatedBytes} since the start or {@link #resetPeak}. */
  public long peakAllocatedBytes() {
    return read(stats -> stats.allocated_bytes().peak());
  }

  /** Bytes taken from the driver: those of tensors and those kept for tensors to come. */
  public long reservedBytes() {
    return read(stats -> stats.reserved_bytes().current());
  }

  /** The largest {@link #reservedBytes} since the start or {@link #resetPeak}. */
  public long peakReservedBytes() {
    return read(stats -> stats.reserved_bytes().peak());
  }

  /** Lets the peaks begin anew at what is held now. */
  public void resetPeak() {
    CUDAAllocator allocator = allocator();
    if (allocator != null) {
      allocator.resetPeakStats(index());
    }
  }

  /** Bytes that no process holds. */
  public long freeBytes() {
    if (!device.isGpu()) {
      return 0;
    }
    try (SizeTPair freeAndTotal = torch_cuda.getAllocator().getMemoryInfo(index())) {
      return freeAndTotal.first();
    }
  }

  /** Bytes of the GPU. */
  public long totalBytes() {
    if (!device.isGpu()) {
      return 0;
    }
    try (SizeTPair freeAndTotal = torch_cuda.getAllocator().getMemoryInfo(index())) {
      return freeAndTotal.second();
    }
  }

  /** Gives the driver back what no tensor uses. */
  public void emptyCache() {
    CUDAAllocator allocator = allocator();
    if (allocator != null) {
      allocator.emptyCache();
    }
  }

  private long read(ToLongFunction<DeviceStats> number) {
    CUDAAllocator allocator = allocator();
    if (allocator == null) {
      return 0;
    }
    try (DeviceStats stats = allocator.getDeviceStats(index())) {
      return number.applyAsLong(stats);
    }
  }

  /** {@code null} on the host, and before the first tensor on a GPU. */
  private CUDAAllocator allocator() {
    if (!device.isGpu()) {
      return null;
    }
    CUDAAllocator allocator = torch_cuda.getAllocator();
    return allocator.initialized() ? allocator : null;
  }

  private byte index() {
    return (byte) device.cuda();
  }
}
