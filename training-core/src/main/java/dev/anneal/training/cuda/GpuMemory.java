package dev.anneal.training.cuda;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.function.ToLongFunction;
import org.bytedeco.pytorch.SizeTPair;
import org.bytedeco.pytorch.cuda.CUDAAllocator;
import org.bytedeco.pytorch.cuda.DeviceStats;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * What libtorch's caching allocator holds of a GPU's memory, over all threads of the process. On
 * the host, which it does not serve, every number is 0.
 */
public record GpuMemory(Device device) {
  private static final long IMPOSSIBLE_BYTES = 1L << 45;

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

  /** Bytes that no process holds, of {@link #totalBytes}. */
  public long freeBytes() {
    if (!device.isGpu()) {
      return 0;
    }
    try (SizeTPair freeAndTotal = torch_cuda.getAllocator().getMemoryInfo(index())) {
      long held = freeAndTotal.second() - freeAndTotal.first();
      return Math.max(0, MemoryLimit.of(freeAndTotal.second()) - held);
    }
  }

  /** Bytes of the GPU, or as many as {@link MemoryLimit} lets be used. */
  public long totalBytes() {
    if (!device.isGpu()) {
      return 0;
    }
    try (SizeTPair freeAndTotal = torch_cuda.getAllocator().getMemoryInfo(index())) {
      return MemoryLimit.of(freeAndTotal.second());
    }
  }

  /**
   * Gives the driver back what no tensor uses of this GPU. libtorch's own {@code emptyCache} frees
   * on all GPUs of the process, and a free waits for its GPU, which may wait for this rank.
   */
  public void emptyOwnCache() {
    if (allocator() == null) {
      return;
    }
    try (TensorScope scope = new TensorScope()) {
      // libtorch does it for one GPU only where it finds no memory: so it is asked for what no GPU
      // has
      Tensors.empty(device, ScalarType.Byte, IMPOSSIBLE_BYTES);
    } catch (RuntimeException e) {
      // as intended
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
