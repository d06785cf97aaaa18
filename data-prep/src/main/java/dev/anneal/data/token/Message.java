package dev.anneal.data.token;

import java.util.Map;
import java.util.Objects;

/**
 * One turn of a conversation.
 *
 * @param content text; for a tool's turn also what it returned, in lists and maps; null where the
 *     turn only calls tools
 * @param more what else the turn has under the names that templates know, such as {@code
 *     tool_calls}
 * @param learned whether the turn is an answer to learn
 */
public record Message(String role, Object content, Map<String, Object> more, boolean learned) {
  public Message {
    Objects.requireNonNull(role, "role");
    Objects.requireNonNull(more, "more");
  }

  /** A turn that is learned if it is an assistant's. */
  public Message(String role, Object content, Map<String, Object> more) {
    this(role, content, more, role.equals("assistant"));
  }

  /** The same turn as something that was said before. */
  public Message notLearned() {
    return new Message(role, content, more, false);
  }

  /** A turn that is only said. */
  public Message(String role, String content) {
    this(role, Objects.requireNonNull(content, "content"), Map.of());
  }
}
