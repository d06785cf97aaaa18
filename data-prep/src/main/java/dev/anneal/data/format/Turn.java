package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.error.OneLine;
import dev.anneal.data.token.Message;
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
  private static final List<String> OWN = List.of("role", "from", "content", "value");
  private static final List<String> MEDIA =
      List.of("images", "image", "videos", "video", "audios", "audio");

  /** Names of what a model thought before it answered; transformers takes the first. */
  private static final List<String> REASONING =
      List.of("reasoning_content", "thinking", "reasoning");

  private final JsonNode turn;
  private final Map<String, Object> more = new LinkedHashMap<>();

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
      if (!OWN.contains(field.getKey()) && !field.getValue().isNull()) {
        more.put(field.getKey(), Fields.plain(field.getValue()));
      }
    }
    requireText();
    aliasReasoning();
    boolean learned = LearnedTurn.of(turn, role.equals(CALL) ? ASSISTANT : role);
    more.keySet().removeAll(LearnedTurn.FIELDS);
    if (role.equals(CALL)) {
      more.put(TOOL_CALLS, ToolCalls.of(Fields.json(turn, key("content", "value"))));
      return new Message(ASSISTANT, null, more, learned);
    }
    if (more.containsKey(CALL)) {
      takeFunctionCall();
    }
    return new Message(role, content(role), more, learned);
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

  private void aliasReasoning() {
    REASONING.stream()
        .filter(more::containsKey)
        .findFirst()
        .map(more::get)
        .ifPresent(
            reasoning -> {
              more.putIfAbsent("thinking", reasoning);
              more.put("reasoning_content", reasoning);
            });
  }

  /** OpenAI's older way to say what a model calls. */
  private void takeFunctionCall() throws BadRowException {
    if (more.containsKey(TOOL_CALLS)) {
      throw new BadRowException("a turn has both 'function_call' and 'tool_calls'");
    }
    more.remove(CALL);
    more.put(TOOL_CALLS, ToolCalls.of(Fields.json(turn, CALL)));
  }

  private Object content(String role) throws BadRowException {
    String name = key("content", "value");
    JsonNode content = turn.path(name);
    if (content.isArray() && !content.isEmpty() && content.get(0).has("type")) {
      return texts(content);
    }
    if (content.isContainerNode() && role.equals(TOOL)) {
      return Fields.plain(content);
    }
    boolean calls = more.get(TOOL_CALLS) instanceof List<?> list && !list.isEmpty();
    if (calls && (content.isMissingNode() || content.isNull())) {
      return null;
    }
    boolean mayBeEmpty =
        calls || role.equals(TOOL) || role.equals("system") || role.equals("developer");
    return mayBeEmpty ? Fields.optionalText(turn, name) : Fields.text(turn, name);
  }

  /** OpenAI's other form, a list of parts. */
  private static String texts(JsonNode parts) throws BadRowException {
    StringBuilder text = new StringBuilder();
    for (JsonNode part : parts) {
      String type = part.path("type").asText();
      if (!type.equals("text")) {
        throw new BadRowException("field 'content' holds a part of type '" + type + "'");
      }
      text.append(Fields.optionalText(part, "text"));
    }
    if (text.toString().isBlank()) {
      throw new BadRowException("field 'content' is empty");
    }
    return text.toString();
  }
}
