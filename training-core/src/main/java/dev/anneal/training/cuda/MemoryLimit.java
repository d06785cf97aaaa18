package dev.anneal.training.cuda;

import dev.anneal.training.io.ByteSize;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.SizeTPair;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * A smaller GPU than the one that is there, to try what would fit it: every process with {@link
 * #PROPERTY} sees GPUs of that size, and libtorch takes no more of one than such a GPU would have
 * left for it.
 */
public final class MemoryLimit {
  /** The system property with a GPU's memory, such as {@code 80GB}; all of it without. */
  public static final String PROPERTY = "anneal.gpu.memory";

  private MemoryLimit() {}

  /**
   * What a GPU counts as having.
   *
   * @param totalBytes that it has
   * @throws GpuException if {@link #PROPERTY} is no size
   */
  static long of(long totalBytes) {
    String limit = System.getProperty(PROPERTY);
    if (limit == null) {
      return totalBytes;
    }
    long bytes =
        ByteSize.parseWithUnit(limit)
            .orElseThrow(
                () ->
                    new GpuException(
                        "The system property %s is '%s', but must be the memory of a GPU, such as 80GB: correct it, or leave it out."
                            .formatted(PROPERTY, limit)));
    return Math.min(bytes, totalBytes);
  }

  /** Holds libtorch's allocator to it, on a GPU that may have none. */
  static void apply(Device device) {
    if (System.getProperty(PROPERTY) == null) {
      return;
    }
    try (TensorScope scope = new TensorScope()) {
      // libtorch begins with the first tensor, and the context is there from then on
      Tensors.empty(device, ScalarType.Byte, 1);
    }
    byte index = (byte) device.cuda();
    try (SizeTPair freeAndTotal = torch_cuda.getAllocator().getMemoryInfo(index)) {
      long total = freeAndTotal.second();
      long beside = total - freeAndTotal.first() - new GpuMemory(device).reservedBytes();
      torch_cuda.getAllocator().setMemoryFraction(fraction(total, beside), index);
    }
  }

  /**
   * Of a GPU's memory, for libtorch.
   *
   * @param besideBytes what is taken already and not by libtorch, such as CUDA's context
   */
  static double fraction(long totalBytes, long besideBytes) {
    return (double) Math.max(0, of(totalBytes) - besideBytes) / totalBytes;
  }
}
