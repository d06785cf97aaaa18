package dev.anneal.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.Map;

/** The configuration of a run by key, as {@code --set} takes it. */
final class Settings {
  private Settings() {}

  /** The keys of {@code config} in {@code run.json}, in their order. */
  static Map<String, String> of(JsonNode record) {
    Map<String, String> settings = new LinkedHashMap<>();
    add("", record.path("config"), settings);
    return settings;
  }

  private static void add(String key, JsonNode value, Map<String, String> settings) {
    // patterns and such may be empty mappings
    if (value.isObject() && !value.isEmpty()) {
      value
          .properties()
          .forEach(
              entry ->
                  add(
                      key.isEmpty() ? entry.getKey() : key + "." + entry.getKey(),
                      entry.getValue(),
                      settings));
    } else if (!key.isEmpty()) {
      settings.put(key, value.isTextual() ? value.textValue() : value.toString());
    }
  }
}
