package dev.anneal.training.cuda;

/** The host cannot give as much page-locked memory as is asked for; the message says how much. */
public final class PinnedMemoryException extends RuntimeException {
  PinnedMemoryException(String message, Throwable cause) {
    super(message, cause);
  }
}
