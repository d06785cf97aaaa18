package dev.anneal.spark.job;

import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.spark.output.Answer;
import dev.anneal.spark.output.Outcome;
import dev.anneal.spark.output.RunRecord;
import java.util.List;
import java.util.function.Supplier;

/** The samples of a run as text, read anew only where there are others: a tokenizer is large. */
final class LiveSamples {
  private final Supplier<ChatTokenizer> tokenizer;
  private List<Outcome.Sample> read;
  private List<Answer> answers;

  /**
   * @param tokenizer gives {@code null} where there is none
   */
  LiveSamples(Supplier<ChatTokenizer> tokenizer) {
    this.tokenizer = tokenizer;
  }

  /** Reads them, and tells the record, which so never goes back to those of before. */
  synchronized List<Answer> tell(Outcome outcome, RunRecord record) {
    List<Outcome.Sample> samples = outcome.samples();
    // a sample that has changed is another object with other arrays
    if (!samples.equals(read)) {
      try (ChatTokenizer loaded = tokenizer.get()) {
        answers = Answer.of(samples, loaded);
      }
      read = samples;
    }
    record.samples(answers);
    return answers;
  }
}
