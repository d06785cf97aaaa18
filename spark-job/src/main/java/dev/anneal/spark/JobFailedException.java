package dev.anneal.spark;

/** A run that failed on the way; the message is its first cause in one sentence. */
public final class JobFailedException extends RuntimeException {
  /** What is said of a run that was told to end. */
  public static final String INTERRUPTED = "The run was interrupted.";

  public JobFailedException(String message, Throwable cause) {
    super(message, cause);
  }
}
