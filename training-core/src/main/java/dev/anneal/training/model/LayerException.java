package dev.anneal.training.model;

import dev.anneal.training.tensor.NativeErrors;

/** A native call failed in a decoder layer. */
public final class LayerException extends RuntimeException {

  /**
   * @param pass forward or backward
   */
  public LayerException(int layer, String pass, RuntimeException cause) {
    super("layer %s, %s: %s".formatted(layer, pass, NativeErrors.firstLine(cause)), cause);
  }
}
