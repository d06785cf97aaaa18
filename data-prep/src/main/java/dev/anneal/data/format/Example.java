package dev.anneal.data.format;

import dev.anneal.data.token.Message;
import java.util.List;
import java.util.Map;

/** What a row says, before it is tokenized. */
public sealed interface Example {
  /**
   * A conversation of which the assistant's turns are learned.
   *
   * @param variables what the chat template is given beside the messages: {@code tools}, {@code
   *     date_string} and the like
   */
  record Chat(List<Message> messages, Map<String, Object> variables) implements Example {
    public Chat(List<Message> messages) {
      this(messages, Map.of());
    }
  }

  /** Text that is learned as a whole. */
  record Text(String text) implements Example {}

  /**
   * Ids from elsewhere.
   *
   * @param targetSpans {@code [start, end)} pairs, flattened and ascending, of the positions that
   *     are learned
   */
  record Tokens(int[] ids, int[] targetSpans) implements Example {}
}
