package dev.anneal.data.token;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * One turn of a conversation.
 *
 * @param fields in the order in which the row has them, under the names that templates know: {@code
 *     role}, {@code content}, and what else there is, such as {@code tool_calls}
 */
public record Message(Map<String, Object> fields, Part part) {
  private static final String ROLE = "role";
  private static final String CONTENT = "content";

  /** What a turn is in the row that it stands in. */
  public enum Part {
    /** An assistant's turn to learn. */
    ANSWER,
    /** Something that an answer follows. */
    PROMPT,
    /** An assistant's turn of which the row says that it is not learned. */
    LEFT_OUT
  }

  public Message {
    Objects.requireNonNull(fields.get(ROLE), ROLE);
    fields = Collections.unmodifiableMap(new LinkedHashMap<>(fields));
  }

  /** A turn that is learned if it is an assistant's. */
  public Message(String role, Object content, Map<String, Object> more) {
    this(fields(role, content, more), role.equals("assistant") ? Part.ANSWER : Part.PROMPT);
  }

  /** A turn that is only said. */
  public Message(String role, String content) {
    this(role, Objects.requireNonNull(content, CONTENT), Map.of());
  }

  private static Map<String, Object> fields(String role, Object content, Map<String, Object> more) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put(ROLE, role);
    fields.put(CONTENT, content);
    fields.putAll(more);
    return fields;
  }

  public String role() {
    return (String) fields.get(ROLE);
  }

  /**
   * A text or {@link ContentParts}; for a tool's turn also what it returned, in lists and maps;
   * null where the turn only calls tools.
   */
  public Object content() {
    return fields.get(CONTENT);
  }

  /** Names of what the turn has beside role and content. */
  public Stream<String> more() {
    return fields.keySet().stream().filter(name -> !name.equals(ROLE) && !name.equals(CONTENT));
  }

  /** Whether the turn is an answer to learn. */
  public boolean learned() {
    return part == Part.ANSWER;
  }

  /** The same turn as something that was said before. */
  public Message asPrompt() {
    return part == Part.LEFT_OUT ? this : new Message(fields, Part.PROMPT);
  }
}
