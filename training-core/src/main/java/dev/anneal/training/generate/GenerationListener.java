package dev.anneal.training.generate;

/**
 * Hears of continuations as they come, from the thread that generates; every rank hears the same.
 * What it throws ends the generation.
 */
public interface GenerationListener {
  /** For callers that wait for the end. */
  GenerationListener NONE = (prompt, token) -> {};

  /** The continuation of {@code prompt} has a next token. */
  void onToken(Prompt prompt, int token);

  /** A continuation has ended; others may go on. */
  default void onEnd(Completion completion) {}
}
