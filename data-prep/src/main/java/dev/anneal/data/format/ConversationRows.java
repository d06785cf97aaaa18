package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.token.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Rows of several turns: OpenAI's {@code messages}, ShareGPT's {@code conversations}. */
final class ConversationRows {
  private ConversationRows() {}

  static Example chat(JsonNode row) throws BadRowException {
    boolean messages = Fields.isGiven(row, "messages");
    boolean conversations = Fields.isGiven(row, "conversations");
    if (messages && conversations) {
      Example.Chat one = chat(row, "messages");
      if (!one.messages().equals(chat(row, "conversations").messages())) {
        throw new BadRowException("fields 'messages' and 'conversations' say different things");
      }
      return one;
    }
    String name = conversations ? "conversations" : "messages";
    if (!row.has(name) && !row.has("conversations")) {
      throw new BadRowException("neither field 'messages' nor 'conversations' is there");
    }
    return chat(row, row.has(name) ? name : "conversations");
  }

  private static Example.Chat chat(JsonNode row, String name) throws BadRowException {
    JsonNode turns = Fields.json(row, name);
    List<Message> messages = RowContext.withSystem(row, turns(turns, name));
    checkRoles(messages);
    boolean shareGpt = turns.get(0).has("from");
    Map<String, Object> variables =
        shareGpt ? TemplateVariables.ofBareTools(row) : TemplateVariables.of(row);
    return new Example.Chat(List.copyOf(messages), variables);
  }

  /** The turns of a field that holds a list of them. */
  static List<Message> turns(JsonNode turns, String field) throws BadRowException {
    if (!turns.isArray()) {
      throw new BadRowException("field '" + field + "' is not a list");
    }
    List<Message> messages = new ArrayList<>(turns.size());
    for (JsonNode turn : turns) {
      if (!turn.isObject()) {
        throw new BadRowException("field '" + field + "' holds a turn that is not an object");
      }
      messages.add(Turn.read(turn));
    }
    return messages;
  }

  static void checkRoles(List<Message> messages) throws BadRowException {
    if (messages.stream().noneMatch(message -> message.role().equals(Turn.ASSISTANT))) {
      throw new BadRowException("the conversation has no assistant turn");
    }
    if (messages.get(0).role().equals(Turn.ASSISTANT)) {
      throw new BadRowException("the conversation begins with an assistant turn");
    }
  }
}
