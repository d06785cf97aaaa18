package dev.anneal.data.error;

/** Input that is refused once executors have worked on it, which costs more than a look. */
public final class LateRefusalException extends InvalidDataException {
  private static final long serialVersionUID = 1L;

  public LateRefusalException(String message, Throwable cause) {
    super(message, cause);
  }
}
