package dev.anneal.data.token;

import dev.anneal.storage.Sha256;
import java.io.Serializable;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The chat templates of a tokenizer, of which transformers takes {@code tool_use} for a
 * conversation with tools and {@code default} for any other, or where there is no {@code tool_use}.
 *
 * @param named templates by name, each a Jinja text; empty where there is none
 * @param origin where they stand, for a reader
 */
public record TemplateChoice(Map<String, String> named, String origin) implements Serializable {
  private static final String DEFAULT = "default";
  private static final String TOOL_USE = "tool_use";

  /** No template at all. */
  public static final TemplateChoice NONE = new TemplateChoice(Map.of(), "nowhere");

  public TemplateChoice {
    named = Map.copyOf(named);
  }

  static TemplateChoice of(String template, String origin) {
    return new TemplateChoice(Map.of(DEFAULT, template), origin);
  }

  boolean isEmpty() {
    return named.isEmpty();
  }

  /** The template of conversations without tools; null where there is none. */
  String plain() {
    return named.get(DEFAULT);
  }

  /** The template of conversations with tools where it is another one; null where it is not. */
  String withTools() {
    return named.get(TOOL_USE);
  }

  /** SHA-256 of what can be chosen; empty where there is no template. */
  Optional<String> sha256() {
    if (withTools() == null) {
      return Optional.ofNullable(plain()).map(Sha256::of);
    }
    Sha256 sha256 = new Sha256();
    sha256.addLine(plain(), withTools());
    return Optional.of(sha256.hex());
  }

  boolean mentions(String word) {
    return named.values().stream().anyMatch(template -> template.contains(word));
  }

  /** In words: where it stands, and whether there are two. */
  public String description() {
    if (isEmpty()) {
      return "none";
    }
    TreeMap<String, String> sorted = new TreeMap<>(named);
    if (sorted.size() == 1 && sorted.containsKey(DEFAULT)) {
      return origin;
    }
    String used =
        withTools() == null
            ? "'default' for every row"
            : plain() == null
                ? "'tool_use' for rows with tools, none for others"
                : "'tool_use' for rows with tools, 'default' for others";
    return origin + " (" + used + ")";
  }
}
