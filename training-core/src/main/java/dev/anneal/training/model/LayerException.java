package dev.anneal.training.model;

/** A native call failed in a decoder layer. */
public final class LayerException extends RuntimeException {

  /**
   * @param pass forward or backward
   */
  LayerException(int layer, String pass, RuntimeException cause) {
    super("layer %d, %s: %s".formatted(layer, pass, firstLine(cause)), cause);
  }

  // libtorch appends a C++ stack trace
  private static String firstLine(RuntimeException cause) {
    return String.valueOf(cause.getMessage()).lines().findFirst().orElse("no message");
  }
}
