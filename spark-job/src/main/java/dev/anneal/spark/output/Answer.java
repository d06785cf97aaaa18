package dev.anneal.spark.output;

import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.SpecialTokens;
import java.util.List;

/**
 * A held-out prompt, and how the model continues it, as text.
 *
 * @param after {@code null} until training is done
 */
public record Answer(String prompt, String before, String after) {

  /**
   * The samples of a run as text.
   *
   * @param tokenizer {@code null} where there is none to read them with
   */
  public static List<Answer> of(List<Outcome.Sample> samples, ChatTokenizer tokenizer) {
    return tokenizer == null
        ? List.of()
        : samples.stream().map(sample -> of(sample, tokenizer)).toList();
  }

  private static Answer of(Outcome.Sample sample, ChatTokenizer tokenizer) {
    return new Answer(
        text(sample.prompt(), tokenizer),
        text(sample.before(), tokenizer),
        sample.after() == null ? null : text(sample.after(), tokenizer));
  }

  private static String text(int[] ids, ChatTokenizer tokenizer) {
    return tokenizer.decode(ids, SpecialTokens.SKIP).strip();
  }
}
