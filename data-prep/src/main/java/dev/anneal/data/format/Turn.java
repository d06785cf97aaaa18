package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.error.OneLine;
import dev.anneal.data.token.ContentParts;
import dev.anneal.data.token.Message;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A turn of a conversation, {@code role} and {@code content} or ShareGPT's {@code from} and {@code
 * value}. What else it has goes to the chat template, as transformers hands it on.
 */
final class Turn {
  static final String ASSISTANT = "assistant";
  private static final String CALL = "function_call";
  private static final String TOOL = "tool";
  private static final String TOOL_CALLS = "tool_calls";

  /** Fields that have the same name whatever the row calls them. */
  private static final Map<String, String> OWN =
      Map.of("role", "role", "from", "role", "content", "content", "value", "content");

  private static final List<String> MEDIA =
      List.of("images", "image", "videos", "video", "audios", "audio");

  private final JsonNode turn;
  private final Map<String, Object> fields = new LinkedHashMap<>();

  private Turn(JsonNode turn) {
    this.turn = turn;
  }

  static Message read(JsonNode turn) throws BadRowException {
    return new Turn(turn).message();
  }

  private Message message() throws BadRowException {
    String role = role(Fields.text(turn, key("role", "from")));
    for (Map.Entry<String, JsonNode> field : turn.properties()) {
      // columnar files hold a null for whatever a turn does not have
      if (!field.getValue().isNull()) {
        String name = OWN.getOrDefault(field.getKey(), field.getKey());
        fields.put(name, Fields.plain(field.getValue()));
      }
    }
    requireText();
    Message.Part part = LearnedTurn.of(turn, role.equals(CALL) ? ASSISTANT : role);
    fields.keySet().removeAll(LearnedTurn.FIELDS);
    if (role.equals(CALL)) {
      fields.put("role", ASSISTANT);
      fields.put("content", null);
      fields.put(TOOL_CALLS, ToolCalls.of(Fields.json(turn, key("content", "value"))));
      return new Message(fields, part);
    }
    if (fields.containsKey(CALL)) {
      takeFunctionCall();
    }
    fields.put("role", role);
    fields.put("content", content(role));
    return new Message(fields, part);
  }

  private String key(String name, String other) throws BadRowException {
    boolean both = turn.hasNonNull(name) && turn.hasNonNull(other);
    if (both && !turn.get(name).equals(turn.get(other))) {
      throw new BadRowException(
          "a turn has '%s' and '%s', which say different things".formatted(name, other));
    }
    if (turn.hasNonNull(name)) {
      return name;
    }
    return turn.has(other) && (turn.hasNonNull(other) || !turn.has(name)) ? other : name;
  }

  private static String role(String name) throws BadRowException {
    return switch (name) {
      case "human", "user", "prompter" -> "user";
      case ASSISTANT, "gpt", "chatgpt", "model", "bing", "bard", "bot" -> ASSISTANT;
      case "system", "developer", "ipython" -> name;
      case TOOL, "function", "observation", "function_response", "tool_response" -> TOOL;
      case CALL, "tool_call" -> CALL;
      default ->
          throw new BadRowException(
              "a turn has the role '%s', which is none of system, developer, user, assistant, tool and their other names"
                  .formatted(OneLine.of(name.substring(0, Math.min(40, name.length())))));
    };
  }

  private void requireText() throws BadRowException {
    for (String name : MEDIA) {
      if (Fields.isGiven(turn, name)) {
        throw new BadRowException("field '" + name + "' of a turn holds what is not text");
      }
    }
  }

  /** OpenAI's older way to say what a model calls. */
  private void takeFunctionCall() throws BadRowException {
    if (fields.containsKey(TOOL_CALLS)) {
      throw new BadRowException("a turn has both 'function_call' and 'tool_calls'");
    }
    fields.remove(CALL);
    fields.put(TOOL_CALLS, ToolCalls.of(Fields.json(turn, CALL)));
  }

  private Object content(String role) throws BadRowException {
    String name = key("content", "value");
    JsonNode content = turn.path(name);
    if (content.isArray() && !content.isEmpty() && content.get(0).has("type")) {
      return parts(content);
    }
    if (content.isContainerNode() && role.equals(TOOL)) {
      return Fields.plain(content);
    }
    boolean calls = fields.get(TOOL_CALLS) instanceof List<?> list && !list.isEmpty();
    if (calls && (content.isMissingNode() || content.isNull())) {
      return null;
    }
    boolean mayBeEmpty =
        calls || role.equals(TOOL) || role.equals("system") || role.equals("developer");
    return mayBeEmpty ? Fields.optionalText(turn, name) : Fields.text(turn, name);
  }

  private static ContentParts parts(JsonNode content) throws BadRowException {
    List<Map<String, Object>> parts = new ArrayList<>();
    for (JsonNode part : content) {
      String type = part.path("type").asText();
      if (!type.equals("text")) {
        throw new BadRowException("field 'content' holds a part of type '" + type + "'");
      }
      if (!part.path("text").isTextual()) {
        throw new BadRowException("field 'content' holds a part of type 'text' without 'text'");
      }
      parts.add(Fields.object(part));
    }
    ContentParts all = new ContentParts(List.copyOf(parts));
    if (all.text().isBlank()) {
      throw new BadRowException("field 'content' is empty");
    }
    return all;
  }
}
