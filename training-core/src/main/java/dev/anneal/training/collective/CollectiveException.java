package dev.anneal.training.collective;

/** A collective call failed: most often because a peer failed first. */
public final class CollectiveException extends RuntimeException {
  CollectiveException(String message, Throwable cause) {
    super(message, cause);
  }
}
