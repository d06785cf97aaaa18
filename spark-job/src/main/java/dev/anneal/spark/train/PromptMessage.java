package dev.anneal.spark.train;

import dev.anneal.data.task.ObjectBytes;
import dev.anneal.training.generate.Completion;
import java.io.Serializable;
import java.util.ArrayList;

/** What a rank that answers prompts tells the driver. */
sealed interface PromptMessage extends Serializable {
  /** The rank can go on from other prompts; it is answered with a list of them, or {@code null}. */
  record Ask() implements PromptMessage {}

  /** What has come of the prompts that the rank was given last. */
  record Done(ArrayList<Completion> completions) implements PromptMessage {}

  /**
   * The next token of a continuation; it is answered with whether the continuation ends there.
   *
   * @param prompt its index
   */
  record Token(long prompt, int token) implements PromptMessage {}

  /** Something long begins on rank 0. */
  record Phase(String phase) implements PromptMessage {}

  /** How much of a phase rank 0 has done, of its own share. */
  record Progress(String phase, long doneBytes, long totalBytes) implements PromptMessage {}

  default byte[] toBytes() {
    return ObjectBytes.of(this);
  }

  static PromptMessage of(byte[] bytes) {
    return (PromptMessage) ObjectBytes.read(bytes);
  }
}
