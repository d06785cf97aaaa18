package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a model calls, in the form that chat templates know. */
final class ToolCalls {
  private static final List<String> OF_CALLS = List.of("id", "type", "index");

  private ToolCalls() {}

  /** A call {@code {"name", "arguments"}}, or a list of them. */
  static List<Object> of(JsonNode calls) throws BadRowException {
    List<Object> all = new ArrayList<>();
    for (JsonNode call : calls.isArray() ? calls : List.of(calls)) {
      boolean bare = !call.path("function").isObject();
      JsonNode function = bare ? call : call.path("function");
      if (!function.path("name").isTextual() || !function.has("arguments")) {
        throw new BadRowException("a call of a function is not JSON with 'name' and 'arguments'");
      }
      Map<String, Object> named = Fields.object(function);
      named.put("arguments", Fields.plain(Fields.json(function, "arguments")));
      Map<String, Object> wrapped = wrapped(named);
      if (bare) {
        // what names the call does not belong to the function
        OF_CALLS.stream().filter(call::has).forEach(key -> wrapped.put(key, named.remove(key)));
      } else {
        Map<String, Object> whole = Fields.object(call);
        whole.putIfAbsent("type", "function");
        whole.put("function", named);
        wrapped.putAll(whole);
      }
      all.add(wrapped);
    }
    if (all.isEmpty()) {
      throw new BadRowException("a call of a function is empty");
    }
    return all;
  }

  /** A function as templates expect it among the tools. */
  static Map<String, Object> wrapped(Object function) {
    Map<String, Object> wrapped = new LinkedHashMap<>();
    wrapped.put("type", "function");
    wrapped.put("function", function);
    return wrapped;
  }
}
