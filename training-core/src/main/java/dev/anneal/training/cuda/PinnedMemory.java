package dev.anneal.training.cuda;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeErrors;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Tensors in page-locked memory of the host, which a GPU reads and writes by itself while the host
 * and its own streams go on. For the host as device they lie in ordinary memory.
 */
public final class PinnedMemory {
  /** The smallest piece there is. */
  private static final long MIN_PIECE_BYTES = 64 << 10;

  /** The smallest piece is at most this part of the largest: what is below it is rounded up. */
  private static final long MAX_RATIO = 32;

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

  /**
   * Memory for {@code bytes} bytes in a few pieces whose sizes are powers of two, the largest
   * first: of what the allocator takes at most a thirty-second lies idle, where it would be up to a
   * half in one piece.
   *
   * @return tensors {@code [n]} of uint8
   * @throws PinnedMemoryException if the host has not enough
   */
  public static List<Tensor> pieces(Device device, long bytes) {
    List<Tensor> pieces = new ArrayList<>();
    long rest = bytesInPieces(bytes);
    while (rest > 0) {
      long piece = Long.highestOneBit(rest);
      pieces.add(empty(device, ScalarType.Byte, piece));
      rest -= piece;
    }
    return pieces;
  }

  /** What {@link #pieces} of {@code bytes} bytes take. */
  public static long bytesInPieces(long bytes) {
    long smallest = Math.max(MIN_PIECE_BYTES, Long.highestOneBit(bytes) / MAX_RATIO);
    return (bytes + smallest - 1) / smallest * smallest;
  }

  /** What one tensor of {@code bytes} bytes takes: see {@link #empty}. */
  public static long allocatedBytes(long bytes) {
    return bytes <= 1 ? bytes : 2 * Long.highestOneBit(bytes - 1);
  }
}
