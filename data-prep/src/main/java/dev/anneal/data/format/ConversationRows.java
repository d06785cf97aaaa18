package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.token.Message;
import java.util.ArrayList;
import java.util.List;

/** Rows of several turns: OpenAI's {@code messages}, ShareGPT's {@code conversations}. */
final class ConversationRows {
  private ConversationRows() {}

  static Example chat(JsonNode row) throws BadRowException {
    boolean openAi = row.has("messages");
    String name = openAi ? "messages" : "conversations";
    JsonNode turns = row.path(name);
    if (turns.isMissingNode()) {
      throw new BadRowException("neither field 'messages' nor 'conversations' is there");
    }
    if (!turns.isArray()) {
      throw new BadRowException("field '" + name + "' is not a list");
    }
    List<Message> messages = new ArrayList<>(turns.size());
    for (JsonNode turn : turns) {
      messages.add(openAi ? openAiMessage(turn) : shareGptMessage(turn));
    }
    checkRoles(messages);
    return new Example.Chat(List.copyOf(messages));
  }

  private static Message openAiMessage(JsonNode turn) throws BadRowException {
    return new Message(Fields.text(turn, "role"), Fields.text(turn, "content"));
  }

  private static Message shareGptMessage(JsonNode turn) throws BadRowException {
    String role =
        switch (Fields.text(turn, "from")) {
          case "human", "user" -> "user";
          case "gpt", "assistant", "chatgpt", "model" -> "assistant";
          case "system" -> "system";
          default -> throw new BadRowException("a turn is from nobody known");
        };
    return new Message(role, Fields.text(turn, "value"));
  }

  private static void checkRoles(List<Message> messages) throws BadRowException {
    if (messages.stream().noneMatch(message -> message.role().equals("assistant"))) {
      throw new BadRowException("the conversation has no assistant turn");
    }
    if (messages.get(0).role().equals("assistant")) {
      throw new BadRowException("the conversation begins with an assistant turn");
    }
  }
}
