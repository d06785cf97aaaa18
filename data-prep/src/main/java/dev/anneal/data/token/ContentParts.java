package dev.anneal.data.token;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What a turn says in parts, OpenAI's other form: {@code [{"type": "text", "text": ...}, ...]}.
 *
 * @param parts each with a text under {@code text}
 */
public record ContentParts(List<Map<String, Object>> parts) {
  static ContentParts of(String text) {
    return new ContentParts(List.of(Map.of("type", "text", "text", text)));
  }

  /** The texts end to end. */
  public String text() {
    return parts.stream().map(part -> (String) part.get("text")).collect(Collectors.joining());
  }
}
