package dev.anneal.training.generate;

/**
 * Ends continuations by what their text says. Tokens are all that is known here: whoever has the
 * tokenizer watches the text. Only rank 0 asks.
 */
public interface StopStrings {
  /** No text ends a continuation. */
  StopStrings NONE = prompt -> token -> false;

  /** Begins to watch the continuation of {@code prompt}. */
  Watcher watch(Prompt prompt);

  /** Watches one continuation. */
  interface Watcher {
    /** Whether the continuation ends with {@code token}, the next one of it. */
    boolean ends(int token);
  }
}
