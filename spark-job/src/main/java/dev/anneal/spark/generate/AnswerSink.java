package dev.anneal.spark.generate;

import java.io.IOException;

/** Takes answers in the order of their prompts. */
interface AnswerSink {
  /** The next one. */
  void take(PromptSpool.Waiting prompt, Answer answer) throws IOException;

  /** There will be no more; not all may be there. */
  default void flush() throws IOException {}
}
