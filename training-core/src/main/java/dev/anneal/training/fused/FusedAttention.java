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
   * @param notice told in a sentence if another library than that of {@code settings} takes over
   */
  public static FusedAttention of(
      AttentionSettings settings, Device device, Consumer<String> notice) {
    if (!device.isGpu()) {
      return new FusedAttention(new PlainAttention());
    }
    if (settings.library() == AttentionLibrary.FLASH) {
      return new FusedAttention(new FlashAttention());
    }
    try {
      return new FusedAttention(new CudnnAttention(device, settings.deterministic(), notice));
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
