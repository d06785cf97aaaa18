package dev.anneal.data.error;

/**
 * Input that Anneal refuses; the message is one sentence that says what, where and what to do, in
 * one line whatever of the input it quotes.
 */
public sealed class InvalidDataException extends RuntimeException permits LateRefusalException {
  private static final long serialVersionUID = 1L;

  public InvalidDataException(String message) {
    super(OneLine.of(message));
  }

  public InvalidDataException(String message, Throwable cause) {
    super(OneLine.of(message), cause);
  }
}
