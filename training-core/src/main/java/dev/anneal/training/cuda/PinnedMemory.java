package dev.anneal.training.cuda;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeErrors;
import java.util.Locale;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Tensors in page-locked memory of the host, which a GPU reads and writes by itself while the host
 * and its own streams go on. For the host as device they lie in ordinary memory. They come from
 * libtorch's caching allocator, which suits what is taken and freed in every step; for what is
 * large and stays there is {@link RegisteredMemory}.
 */
public final class PinnedMemory {
  private PinnedMemory() {}

  /**
   * Uninitialized, in the current tensor scope. libtorch's allocator takes the next power of two of
   * its bytes, and keeps them for tensors to come when it is freed.
   *
   * @param device the GPU that it is for, or the host for ordinary memory
   * @throws PinnedMemoryException if the host has not enough
   */
  public static Tensor empty(Device device, ScalarType type, long... shape) {
    TensorOptions options = new TensorOptions(type).pinned_memory(new BoolOptional(device.isGpu()));
    try {
      return torch.empty(shape, options, new MemoryFormatOptional());
    } catch (RuntimeException e) {
      long bytes = torch.elementSize(type);
      for (long dim : shape) {
        bytes *= dim;
      }
      throw exhausted(device, bytes, NativeErrors.firstLine(e), e);
    }
  }

  /** What to throw where {@code bytes} bytes could not be had. */
  static PinnedMemoryException exhausted(Device device, long bytes, String cause, Throwable e) {
    return new PinnedMemoryException(
        String.format(
            Locale.ROOT,
            "the host has no %.2f GB of %s left (%s)",
            bytes / 1e9,
            device.isGpu() ? "pinned memory" : "memory",
            cause),
        e);
  }

  /** What one tensor of {@code bytes} bytes takes: see {@link #empty}. */
  public static long allocatedBytes(long bytes) {
    return bytes <= 1 ? bytes : 2 * Long.highestOneBit(bytes - 1);
  }
}
