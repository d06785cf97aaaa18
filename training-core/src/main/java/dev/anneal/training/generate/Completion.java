package dev.anneal.training.generate;

/**
 * How a model goes on from a prompt.
 *
 * @param tokens after the prompt, without the stop token; what a stop string's end came with is
 *     among them
 * @param ending why there are no more
 */
public record Completion(Prompt prompt, int[] tokens, Ending ending) {

  /** Why a continuation has ended. */
  public enum Ending {
    /** The model said that the text or the turn is over. */
    STOP_TOKEN,
    /** A {@link StopStrings.Watcher} has seen what it watches for. */
    STOP_STRING,
    /** There are as many tokens as were asked for. */
    MAX_TOKENS,
    /** Prompt and continuation fill the model's context. */
    CONTEXT
  }
}
