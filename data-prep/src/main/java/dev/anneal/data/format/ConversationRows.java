package dev.anneal.data.format;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.token.Message;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** Rows of several turns: OpenAI's {@code messages}, ShareGPT's {@code conversations}. */
final class ConversationRows {
  private static final ObjectMapper JSON = new ObjectMapper();

  private ConversationRows() {}

  static Example chat(JsonNode row) throws BadRowException {
    boolean openAi = row.hasNonNull("messages");
    String name = openAi || !row.hasNonNull("conversations") ? "messages" : "conversations";
    if (!row.has(name)) {
      throw new BadRowException("neither field 'messages' nor 'conversations' is there");
    }
    JsonNode turns = Fields.json(row, name);
    if (!turns.isArray()) {
      throw new BadRowException("field '" + name + "' is not a list");
    }
    List<Message> messages = new ArrayList<>(turns.size());
    for (JsonNode turn : turns) {
      if (!turn.isObject()) {
        throw new BadRowException("field '" + name + "' holds a turn that is not an object");
      }
      messages.add(openAi ? openAiMessage(turn) : shareGptMessage(turn));
    }
    checkRoles(messages);
    return new Example.Chat(List.copyOf(messages), variables(row));
  }

  static void checkRoles(List<Message> messages) throws BadRowException {
    if (messages.stream().noneMatch(message -> message.role().equals("assistant"))) {
      throw new BadRowException("the conversation has no assistant turn");
    }
    if (messages.get(0).role().equals("assistant")) {
      throw new BadRowException("the conversation begins with an assistant turn");
    }
  }

  private static Message openAiMessage(JsonNode turn) throws BadRowException {
    String role = Fields.text(turn, "role");
    JsonNode content = turn.path("content");
    Map<String, Object> more = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> field : turn.properties()) {
      String name = field.getKey();
      // columnar files hold a null for whatever a turn does not have
      if (!name.equals("role") && !name.equals("content") && !field.getValue().isNull()) {
        more.put(name, plain(field.getValue()));
      }
    }
    if (isText(content)) {
      return new Message(role, texts(content), more);
    }
    if (content.isContainerNode() && role.equals("tool")) {
      return new Message(role, plain(content), more);
    }
    if (more.containsKey("tool_calls") && (content.isMissingNode() || content.isNull())) {
      return new Message(role, null, more);
    }
    if (more.containsKey("tool_calls") || role.equals("tool")) {
      return new Message(role, Fields.optionalText(turn, "content"), more);
    }
    return new Message(role, Fields.text(turn, "content"), more);
  }

  /** Whether the content is a list of text parts, OpenAI's other form. */
  private static boolean isText(JsonNode content) {
    return content.isArray()
        && !content.isEmpty()
        && StreamSupport.stream(content.spliterator(), false)
            .allMatch(part -> part.path("type").asText().equals("text"));
  }

  private static String texts(JsonNode parts) throws BadRowException {
    List<String> texts = new ArrayList<>();
    for (JsonNode part : parts) {
      texts.add(Fields.text(part, "text"));
    }
    return texts.stream().collect(Collectors.joining());
  }

  private static Message shareGptMessage(JsonNode turn) throws BadRowException {
    String role =
        switch (Fields.text(turn, "from")) {
          case "human", "user" -> "user";
          case "gpt", "assistant", "chatgpt", "model", "bing", "bard" -> "assistant";
          case "system" -> "system";
          case "tool", "function", "observation" -> "tool";
          default -> throw new BadRowException("a turn is from nobody known");
        };
    return new Message(role, Fields.text(turn, "value"));
  }

  /** Tools, and what else {@code apply_chat_template} would be given for the row. */
  private static Map<String, Object> variables(JsonNode row) throws BadRowException {
    Map<String, Object> variables = new LinkedHashMap<>();
    if (row.hasNonNull("chat_template_kwargs")) {
      JsonNode arguments = Fields.json(row, "chat_template_kwargs");
      if (!arguments.isObject()) {
        throw new BadRowException("field 'chat_template_kwargs' is not an object");
      }
      arguments.properties().forEach(e -> variables.put(e.getKey(), plain(e.getValue())));
    }
    if (row.hasNonNull("tools")) {
      JsonNode tools = Fields.json(row, "tools");
      if (!tools.isArray()) {
        throw new BadRowException("field 'tools' is not a list");
      }
      variables.put("tools", plain(tools));
    }
    return variables;
  }

  private static Object plain(JsonNode value) {
    return JSON.convertValue(value, new TypeReference<Object>() {});
  }
}
