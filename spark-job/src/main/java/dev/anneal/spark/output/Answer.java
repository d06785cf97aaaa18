package dev.anneal.spark.output;

import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.SpecialTokens;
import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A held-out prompt, and how the model continues it, as text.
 *
 * @param continuations by the steps done when each was made, 0 among them
 */
public record Answer(String prompt, SortedMap<Long, String> continuations) {
  public Answer {
    continuations = Collections.unmodifiableSortedMap(new TreeMap<>(continuations));
  }

  /** Before training. */
  public String before() {
    return continuations.get(0L);
  }

  /** Those of evaluations on the way, before the last. */
  public SortedMap<Long, String> between() {
    return continuations.subMap(1L, Math.max(1, continuations.lastKey()));
  }

  /** The last; {@code null} until there is one after a step. */
  public String after() {
    long last = continuations.lastKey();
    return last == 0 ? null : continuations.get(last);
  }

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
    SortedMap<Long, String> texts = new TreeMap<>();
    sample.continuations().forEach((step, ids) -> texts.put(step, text(ids, tokenizer)));
    return new Answer(text(sample.prompt(), tokenizer), texts);
  }

  /** What a person reads of token ids. */
  private static String text(int[] ids, ChatTokenizer tokenizer) {
    return tokenizer.decode(ids, SpecialTokens.SKIP).strip();
  }
}
