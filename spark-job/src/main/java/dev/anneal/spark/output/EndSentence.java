package dev.anneal.spark.output;

import dev.anneal.training.trainer.EvaluatedEnd;
import java.util.Locale;
import java.util.Optional;

/**
 * Says how a run ended that did not make all of its steps, or whose last step is not its result.
 */
final class EndSentence {
  private EndSentence() {}

  static Optional<String> of(EvaluatedEnd end) {
    String result =
        end.resultStep() == end.step()
            ? ""
            : String.format(
                Locale.ROOT,
                "The result is that of step %,d, with the smallest held-out loss, %.4f.",
                end.resultStep(),
                end.bestLoss());
    String sentences = (reason(end).orElse("") + " " + result).strip();
    return sentences.isEmpty() ? Optional.empty() : Optional.of(sentences);
  }

  /** Why the run ended before its last step; empty if it did not. */
  static Optional<String> reason(EvaluatedEnd end) {
    return end.early()
        ? Optional.of(
            String.format(
                Locale.ROOT,
                "Training ended after step %,d, because %s evaluations in a row gained nothing.",
                end.step(),
                end.withoutGain()))
        : Optional.empty();
  }
}
