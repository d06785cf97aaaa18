package dev.anneal.training.weights;

import org.bytedeco.pytorch.Tensor;

/** Holds the flat buffers of the decoder layers and brings one at a time together. */
interface LayerStorage {

  /**
   * The buffer of layer {@code layer}, at least as long as its {@link LayerLayout}, in the stored
   * dtype; usable until the caller's innermost tensor scope closes.
   */
  Tensor flat(int layer);
}
