package dev.anneal.data.token;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.error.OneLine;
import dev.anneal.jinja.Template;
import dev.anneal.jinja.error.TemplateException;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * A chat template, rendered as Hugging Face's {@code apply_chat_template} renders it. Safe for use
 * by several threads.
 */
final class ChatTemplate {
  /** What one conversation may take; published templates take less than a millisecond. */
  private static final Duration MAX_TIME = Duration.ofSeconds(10);

  private static final int MAX_TEMPLATE = 1 << 20;

  /** Under these names a turn brings what the assistant thinks; templates read the first. */
  private static final List<String> REASONING =
      List.of("reasoning_content", "thinking", "reasoning");

  private final String text;
  private final String where;
  private final Template.Settings settings;
  private final Map<String, Object> constants;
  private final ContentForms forms = new ContentForms(this::attempt);
  // read when it is needed first, and then by one thread or the other
  private volatile Template template;

  ChatTemplate(TokenizerFiles files) {
    this.text = files.chatTemplate();
    this.where = files.folder();
    this.settings = new Template.Settings(files.renderedAt().atZone(ZoneOffset.UTC), MAX_TIME);
    this.constants = new HashMap<>(files.specialTokens());
    // transformers always hands these over
    constants.put("tools", null);
    constants.put("documents", null);
  }

  /** The names under which a template finds a field of a turn. */
  static List<String> namesOf(String field) {
    return REASONING.contains(field) ? REASONING : List.of(field);
  }

  /**
   * The conversation as the template writes it.
   *
   * @param rowVariables what the template is given beside the messages, such as {@code tools}
   * @throws TemplateRefusalException if the template refuses the conversation or fails on it
   * @throws InvalidDataException if the template cannot be rendered at all
   */
  RenderedChat render(
      List<Message> messages, Map<String, Object> rowVariables, GenerationPrompt generationPrompt) {
    try {
      return rendered(
          messages.stream().map(turn -> toMap(turn, forms.of(turn))).toList(),
          rowVariables,
          generationPrompt);
    } catch (TemplateException e) {
      throw failure(e);
    }
  }

  private RenderedChat rendered(
      List<Map<String, Object>> turns,
      Map<String, Object> rowVariables,
      GenerationPrompt generationPrompt) {
    Map<String, Object> variables = new HashMap<>(constants);
    variables.putAll(rowVariables);
    variables.put("messages", turns);
    variables.put("add_generation_prompt", generationPrompt == GenerationPrompt.ADD);
    Template.Rendering rendering = template().render(variables, settings);
    return new RenderedChat(
        rendering.text(),
        template().marksGenerations() ? Optional.of(rendering.generations()) : Optional.empty());
  }

  private Optional<String> attempt(List<Message> messages) {
    try {
      List<Map<String, Object>> turns =
          messages.stream().map(turn -> toMap(turn, turn.content())).toList();
      return Optional.of(rendered(turns, Map.of(), GenerationPrompt.OMIT).text());
    } catch (TemplateException e) {
      return Optional.empty();
    }
  }

  private Template template() {
    Template read = template;
    if (read == null) {
      if (text.length() > MAX_TEMPLATE) {
        throw TemplateException.limit("it has more than %s characters".formatted(MAX_TEMPLATE));
      }
      read = Template.of(text);
      template = read;
    }
    return read;
  }

  /** What fails because of the row costs the row; what is wrong with the template ends it all. */
  private RuntimeException failure(TemplateException e) {
    return switch (e.kind()) {
      case RAISED -> new TemplateRefusalException(e.reason());
      case UNDEFINED, TYPE, VALUE, LOOKUP, DIVISION, OVERFLOW ->
          new TemplateRefusalException(e.getMessage());
      case SYNTAX, SECURITY, RUNTIME, UNSUPPORTED, LIMIT ->
          new InvalidDataException(
              "The chat template of '"
                  + where
                  + "' cannot be rendered ("
                  + OneLine.of(e.getMessage())
                  + "): correct it, or name another with data.template.");
    };
  }

  // transformers takes away what is null and gives reasoning the names that templates read
  private static Map<String, Object> toMap(Message message, Object content) {
    Map<String, Object> turn = new LinkedHashMap<>(message.fields());
    turn.put("content", content);
    turn.values().removeIf(Objects::isNull);
    Object reasoning =
        REASONING.stream().map(turn::get).filter(Objects::nonNull).findFirst().orElse(null);
    if (reasoning == null) {
      return turn;
    }
    Map<String, Object> aliased = new LinkedHashMap<>();
    aliased.put("thinking", reasoning);
    aliased.putAll(turn);
    aliased.put("reasoning_content", reasoning);
    return aliased;
  }
}
