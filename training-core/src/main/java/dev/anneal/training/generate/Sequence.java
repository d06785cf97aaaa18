package dev.anneal.training.generate;

import java.util.Arrays;

/** A prompt with what has come after it so far. */
final class Sequence {
  private final Prompt prompt;
  private final KvCache.Slot slot;
  private final StopStrings.Watcher watcher;
  private int[] ids;
  private int length;
  private Completion.Ending ending;

  /**
   * @param mostTokens how long it may become
   */
  Sequence(Prompt prompt, int mostTokens, StopStrings.Watcher watcher) {
    this.prompt = prompt;
    this.watcher = watcher;
    this.ids = prompt.ids().clone();
    this.length = ids.length;
    // nothing is computed after the last token
    this.slot = new KvCache.Slot(Math.max(length, mostTokens - 1));
  }

  Prompt prompt() {
    return prompt;
  }

  KvCache.Slot slot() {
    return slot;
  }

  StopStrings.Watcher watcher() {
    return watcher;
  }

  /** Tokens with the prompt. */
  int length() {
    return length;
  }

  /** Tokens after the prompt. */
  int generated() {
    return length - prompt.ids().length;
  }

  /** Tokens that the layers have not seen. */
  int unseen() {
    return length - Math.toIntExact(slot.used());
  }

  /** All tokens. */
  int[] ids() {
    return Arrays.copyOf(ids, length);
  }

  /** The next {@code count} tokens that the layers have not seen. */
  int[] next(int count) {
    int from = length - unseen();
    return Arrays.copyOfRange(ids, from, from + count);
  }

  void append(int token) {
    if (length == ids.length) {
      ids = Arrays.copyOf(ids, 2 * length);
    }
    ids[length++] = token;
  }

  void end(Completion.Ending ending) {
    this.ending = ending;
  }

  boolean hasEnded() {
    return ending != null;
  }

  Completion completion() {
    return new Completion(prompt, Arrays.copyOfRange(ids, prompt.ids().length, length), ending);
  }
}
