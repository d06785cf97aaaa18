package dev.anneal.training.fused;

import dev.anneal.training.cudnn.CudnnException;
import dev.anneal.training.tensor.Device;
import java.util.function.Consumer;

/** The attention of fused layers, with what it holds of a GPU. */
public final class FusedAttention implements AutoCloseable {
  private final RowAttention rows;

  private FusedAttention(RowAttention rows) {
    this.rows = rows;
  }

  /**
   * For the current device.
   *
   * @param notice told in a sentence if another library than {@code library} takes over
   */
  public static FusedAttention of(
      AttentionLibrary library, Device device, Consumer<String> notice) {
    if (!device.isGpu()) {
      return new FusedAttention(new PlainAttention());
    }
    if (library == AttentionLibrary.FLASH) {
      return new FusedAttention(new FlashAttention());
    }
    try {
      return new FusedAttention(new CudnnAttention(device, notice));
    } catch (CudnnException e) {
      notice.accept("attention by FlashAttention, since " + e.getMessage());
      return new FusedAttention(new FlashAttention());
    }
  }

  RowAttention rows() {
    return rows;
  }

  /** What was computed with it must have ended. */
  @Override
  public void close() {
    if (rows instanceof CudnnAttention cudnn) {
      cudnn.close();
    }
  }
}
