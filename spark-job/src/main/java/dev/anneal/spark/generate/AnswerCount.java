package dev.anneal.spark.generate;

import dev.anneal.spark.progress.AnswerProgress;
import java.util.Locale;

/** Counts what is answered. */
final class AnswerCount {
  private final long begin = System.nanoTime();
  private final long before;
  private final long total;
  private long done;
  private long tokens;

  /**
   * @param before prompts that an earlier process has answered
   * @param total all prompts
   */
  AnswerCount(long before, long total) {
    this.before = before;
    this.done = before;
    this.total = total;
  }

  void add(Answer answer) {
    done++;
    tokens += answer.tokens();
  }

  AnswerProgress now() {
    return new AnswerProgress(before, done, total, tokens);
  }

  /** All of it in a line. */
  String summary() {
    double seconds = Math.max((System.nanoTime() - begin) / 1e9, 1e-3);
    return String.format(
        Locale.ROOT,
        "Answered %,d prompts with %,d tokens in %.1f s, with the start of Spark and the model",
        done - before,
        tokens,
        seconds);
  }
}
