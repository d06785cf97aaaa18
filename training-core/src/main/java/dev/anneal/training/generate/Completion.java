package dev.anneal.training.generate;

import java.io.Serializable;

/**
 * How a model goes on from a prompt.
 *
 * @param tokens after the prompt, without the stop token; what a stop string's end came with is
 *     among them
 * @param ending why there are no more
 */
public record Completion(Prompt prompt, int[] tokens, Ending ending) implements Serializable {

  /** Why a continuation has ended. */
  public enum Ending {
    /** The model said that the text or the turn is over. */
    STOP_TOKEN(1),
    /** A {@link StopStrings.Watcher} has seen what it watches for. */
    STOP_STRING(2),
    /** There are as many tokens as were asked for. */
    MAX_TOKENS(3),
    /** Prompt and continuation fill the model's context. */
    CONTEXT(4);

    /** Among ranks, of a continuation that goes on. */
    static final int NONE = 0;

    private final int code;

    Ending(int code) {
      this.code = code;
    }

    /** What ranks call it; {@code ending} is {@code null} where there is none. */
    static int code(Ending ending) {
      return ending == null ? NONE : ending.code;
    }

    /** What ranks call {@code code}. */
    static Ending of(long code) {
      for (Ending ending : values()) {
        if (ending.code == code) {
          return ending;
        }
      }
      return null;
    }
  }
}
