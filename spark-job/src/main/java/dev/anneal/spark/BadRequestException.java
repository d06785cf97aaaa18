package dev.anneal.spark;

/**
 * A request that cannot be carried out as it is. The message is one sentence that names the place
 * (key, file, option) and the remedy; it is all that the user sees, and the exit code is 2.
 */
public final class BadRequestException extends RuntimeException {
  public BadRequestException(String message) {
    super(message);
  }

  public BadRequestException(String message, Throwable cause) {
    super(message, cause);
  }
}
