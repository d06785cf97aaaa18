package dev.anneal.training.generate;

/** A prompt that the model cannot go on from; the message is one sentence for the user. */
public final class InvalidPromptException extends RuntimeException {
  InvalidPromptException(String message) {
    super(message);
  }
}
