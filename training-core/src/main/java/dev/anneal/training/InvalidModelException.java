package dev.anneal.training;

/**
 * A model folder, adapter or training recipe that cannot be used as it is. The message is one
 * sentence that names the place (file, tensor or key) and the remedy; it is shown to the user
 * without a stack trace.
 */
public final class InvalidModelException extends RuntimeException {
  public InvalidModelException(String message) {
    super(message);
  }

  public InvalidModelException(String message, Throwable cause) {
    super(message, cause);
  }
}
