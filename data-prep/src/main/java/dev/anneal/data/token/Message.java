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
 */
public record Message(String role, Object content, Map<String, Object> more) {
  public Message {
    Objects.requireNonNull(role, "role");
    Objects.requireNonNull(more, "more");
  }

  /** A turn that is only said. */
  public Message(String role, String content) {
    this(role, Objects.requireNonNull(content, "content"), Map.of());
  }
}
