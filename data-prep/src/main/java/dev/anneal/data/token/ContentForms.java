package dev.anneal.data.token;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * In which form a template prints what turns of a role say: as a text or, where it loops over
 * parts, as a list of them. Found out by rendering a turn in both. Safe for use by several threads.
 */
final class ContentForms {
  private static final String WORD = "quasimodo";
  private static final List<Message> EXCHANGE =
      List.of(new Message("user", "Please"), new Message("assistant", "Certainly"));

  private final Function<List<Message>, Optional<String>> render;
  private final Map<String, Form> forms = new ConcurrentHashMap<>();

  /** What the content of a turn is handed over as. */
  private enum Form {
    /** Parts are put together, as the template prints no list of them. */
    TEXT,
    PARTS,
    EITHER
  }

  /**
   * Makes the forms of a template.
   *
   * @param render prints a conversation as its turns stand; empty where the template fails
   */
  ContentForms(Function<List<Message>, Optional<String>> render) {
    this.render = render;
  }

  /** The content as the template takes it: a text, a list, or what a tool returned. */
  Object of(Message turn) {
    Object content = turn.content();
    if (content instanceof ContentParts parts) {
      return form(turn) == Form.TEXT ? parts.text() : parts.parts();
    }
    return content instanceof String text && !text.isEmpty() && form(turn) == Form.PARTS
        ? ContentParts.of(text).parts()
        : content;
  }

  private Form form(Message turn) {
    return forms.computeIfAbsent(turn.role(), this::find);
  }

  private Form find(String role) {
    if (!prints(role, ContentParts.of(WORD).parts())) {
      return Form.TEXT;
    }
    return prints(role, WORD) ? Form.EITHER : Form.PARTS;
  }

  private boolean prints(String role, Object content) {
    Message turn = new Message(role, content, Map.of());
    return prints(conversation(turn, EXCHANGE)) || prints(conversation(turn, inParts(EXCHANGE)));
  }

  private boolean prints(List<Message> conversation) {
    return render
        .apply(conversation)
        // a list that is printed as such has its names too
        .filter(text -> text.contains(WORD) && !text.matches("(?s).*['\"]type['\"].*"))
        .isPresent();
  }

  private static List<Message> conversation(Message turn, List<Message> exchange) {
    List<Message> turns = new ArrayList<>(exchange);
    switch (turn.role()) {
      case "user" -> turns.set(0, turn);
      case "assistant" -> turns.set(1, turn);
      case "system", "developer" -> turns.add(0, turn);
      default -> turns.add(turn);
    }
    return turns;
  }

  private static List<Message> inParts(List<Message> turns) {
    return turns.stream()
        .map(
            turn ->
                new Message(
                    turn.role(), ContentParts.of((String) turn.content()).parts(), Map.of()))
        .toList();
  }
}
