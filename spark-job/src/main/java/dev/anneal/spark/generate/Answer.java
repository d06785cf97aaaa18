package dev.anneal.spark.generate;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.SpecialTokens;
import dev.anneal.training.generate.Completion;
import java.util.List;
import java.util.Locale;

/** What has come of a prompt. */
record Answer(String text, String finishReason, int promptTokens, int tokens) {
  /** Names of what a line of the result has beside what was given. */
  static final List<String> FIELDS = List.of("text", "finish_reason", "prompt_tokens", "tokens");

  private static final JsonMapper JSON = new JsonMapper();

  /**
   * Reads a continuation.
   *
   * @param stops texts before whose first it ends, where one of them has ended it
   */
  static Answer of(Completion completion, ChatTokenizer tokenizer, List<String> stops) {
    String text = tokenizer.decode(completion.tokens(), SpecialTokens.SKIP);
    boolean stopped = completion.ending() == Completion.Ending.STOP_STRING;
    return new Answer(
        stopped ? text.substring(0, end(text, stops)) : text,
        completion.ending().name().toLowerCase(Locale.ROOT),
        completion.prompt().ids().length,
        completion.tokens().length);
  }

  /** Where the first of the texts begins, or the end. */
  static int end(String text, List<String> stops) {
    int end = text.length();
    for (String stop : stops) {
      int found = text.indexOf(stop);
      end = found < 0 ? end : Math.min(end, found);
    }
    return end;
  }

  /**
   * A line of the result, without an end.
   *
   * @param given a JSON object without these fields; it stays letter for letter
   */
  String line(String given) {
    ObjectNode fields = JSON.createObjectNode();
    fields.put(FIELDS.get(0), text);
    fields.put(FIELDS.get(1), finishReason);
    fields.put(FIELDS.get(2), promptTokens);
    fields.put(FIELDS.get(3), tokens);
    String own = fields.toString();
    String before = given.strip().replaceFirst("\\s*}$", "");
    return before.equals("{") ? own : before + "," + own.substring(1);
  }
}
