package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Tools, and what else {@code apply_chat_template} would be given for the row. */
final class TemplateVariables {
  private static final String ARGUMENTS = "chat_template_kwargs";
  private static final String TOOLS = "tools";
  private static final String FUNCTIONS = "functions";

  /** Arguments that choose how is rendered and are no variables. */
  private static final List<String> NOT_VARIABLES =
      List.of(
          "chat_template",
          "messages",
          "conversation",
          "add_generation_prompt",
          "continue_final_message",
          "tokenize",
          "sanitize_control_tokens",
          "padding",
          "truncation",
          "max_length",
          "return_tensors",
          "return_dict",
          "return_assistant_tokens_mask",
          "tokenizer_kwargs");

  private TemplateVariables() {}

  /** With tools as they stand, as transformers and TRL take them. */
  static Map<String, Object> of(JsonNode row) throws BadRowException {
    Map<String, Object> variables = new LinkedHashMap<>();
    if (Fields.isGiven(row, ARGUMENTS)) {
      JsonNode arguments = Fields.json(row, ARGUMENTS);
      if (!arguments.isObject()) {
        throw new BadRowException("field 'chat_template_kwargs' is not an object");
      }
      for (Map.Entry<String, JsonNode> argument : arguments.properties()) {
        if (NOT_VARIABLES.contains(argument.getKey())) {
          throw new BadRowException(
              "field 'chat_template_kwargs' holds '"
                  + argument.getKey()
                  + "', which is no variable of a template");
        }
        variables.put(argument.getKey(), Fields.plain(argument.getValue()));
      }
    }
    List<Object> tools = tools(row);
    if (tools != null) {
      variables.put(TOOLS, tools);
    }
    return variables;
  }

  /** With bare functions among the tools in the form of tools, as LLaMA-Factory takes them. */
  static Map<String, Object> ofBareTools(JsonNode row) throws BadRowException {
    Map<String, Object> variables = of(row);
    if (variables.get(TOOLS) instanceof List<?> tools) {
      List<Object> wrapped = new ArrayList<>();
      for (Object tool : tools) {
        boolean bare =
            tool instanceof Map<?, ?> map
                && map.containsKey("name")
                && !map.containsKey("function");
        wrapped.add(bare ? ToolCalls.wrapped(tool) : tool);
      }
      variables.put(TOOLS, wrapped);
    }
    return variables;
  }

  /** Null where there are none. */
  private static List<Object> tools(JsonNode row) throws BadRowException {
    List<Object> functions = list(row, FUNCTIONS);
    List<Object> tools = list(row, TOOLS);
    if (functions == null || functions.isEmpty()) {
      return tools;
    }
    if (tools != null && !tools.isEmpty()) {
      throw new BadRowException("fields 'tools' and 'functions' are both there");
    }
    List<Object> wrapped = new ArrayList<>();
    functions.forEach(function -> wrapped.add(ToolCalls.wrapped(function)));
    return wrapped;
  }

  private static List<Object> list(JsonNode row, String name) throws BadRowException {
    if (row.path(name).isTextual() && row.path(name).textValue().isBlank()) {
      return null;
    }
    JsonNode value = Fields.json(row, name);
    if (value.isMissingNode() || value.isNull()) {
      return null;
    }
    if (!value.isArray()) {
      throw new BadRowException("field '" + name + "' is not a list");
    }
    List<Object> list = new ArrayList<>();
    for (JsonNode one : value) {
      if (!one.isObject()) {
        throw new BadRowException("field '" + name + "' holds something else than objects");
      }
      list.add(Fields.plain(one));
    }
    return list;
  }
}
