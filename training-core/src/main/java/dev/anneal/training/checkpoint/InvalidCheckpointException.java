package dev.anneal.training.checkpoint;

/** A checkpoint cannot be used; the message says which, and why. */
public final class InvalidCheckpointException extends RuntimeException {
  public InvalidCheckpointException(String message) {
    super(message);
  }

  public InvalidCheckpointException(String message, Throwable cause) {
    super(message, cause);
  }
}
