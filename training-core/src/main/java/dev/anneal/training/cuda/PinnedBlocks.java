package dev.anneal.training.cuda;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Some bytes of {@link PinnedMemory}, in blocks of one size whatever their number: what is freed
 * serves who comes next, and little is lost to the next power of two. Outlives the scopes.
 */
public final class PinnedBlocks implements AutoCloseable {
  /** A millisecond and more of a copy over PCIe. */
  private static final long BLOCK_BYTES = 64L << 20;

  private final long blockBytes;
  private final List<Tensor> blocks = new ArrayList<>();

  private PinnedBlocks(long blockBytes) {
    this.blockBytes = blockBytes;
  }

  /**
   * Room for {@code bytes} bytes, uninitialized.
   *
   * @param device the GPU that it is for, or the host for ordinary memory
   * @throws PinnedMemoryException if the host has not enough; then nothing is kept
   */
  public static PinnedBlocks of(Device device, long bytes) {
    return of(device, bytes, blockBytes(bytes));
  }

  static PinnedBlocks of(Device device, long bytes, long blockBytes) {
    PinnedBlocks pinned = new PinnedBlocks(blockBytes);
    try (TensorScope scope = new TensorScope()) {
      for (long begin = 0; begin < bytes; begin += blockBytes) {
        pinned.blocks.add(TensorScope.own(PinnedMemory.empty(device, ScalarType.Byte, blockBytes)));
      }
      return pinned;
    } catch (RuntimeException | Error e) {
      pinned.close();
      throw e;
    }
  }

  /** What room for {@code bytes} bytes takes. */
  public static long allocatedBytes(long bytes) {
    long block = blockBytes(bytes);
    return bytes == 0 ? 0 : (bytes + block - 1) / block * block;
  }

  private static long blockBytes(long bytes) {
    return Math.min(BLOCK_BYTES, PinnedMemory.allocatedBytes(bytes));
  }

  /**
   * Copies a tensor here, by the device's current stream.
   *
   * @param begin of its bytes among those of this room
   * @param tensor contiguous
   */
  public void write(long begin, Tensor tensor) {
    copy(begin, tensor, (block, bytes) -> block.copy_(bytes, true));
  }

  /** Copies what is here into a tensor, likewise. */
  public void read(long begin, Tensor tensor) {
    copy(begin, tensor, (block, bytes) -> bytes.copy_(block, true));
  }

  private interface Copy {
    /** Of as many bytes. */
    void between(Tensor block, Tensor bytes);
  }

  private void copy(long begin, Tensor tensor, Copy copy) {
    try (TensorScope scope = new TensorScope()) {
      Tensor bytes = tensor.view(-1).view(ScalarType.Byte);
      long done = 0;
      while (done < bytes.numel()) {
        int block = Math.toIntExact((begin + done) / blockBytes);
        long first = (begin + done) % blockBytes;
        long length = Math.min(blockBytes - first, bytes.numel() - done);
        copy.between(blocks.get(block).narrow(0, first, length), bytes.narrow(0, done, length));
        done += length;
      }
    }
  }

  /** What is still being copied may be so: see {@link PinnedMemory}. */
  @Override
  public void close() {
    blocks.forEach(Tensor::close);
    blocks.clear();
  }
}
