package dev.anneal.spark.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes {@code conf/anneal.schema.json}: draft 7, which editors know best. */
final class JsonSchema {
  private static final ObjectMapper MAPPER =
      JsonMapper.builder()
          .enable(SerializationFeature.INDENT_OUTPUT)
          .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
          .build();

  /** A value may stand elsewhere, whatever the key asks for. */
  private static final Map<String, Object> REFERENCE =
      Map.of(
          "type", "string",
          "pattern", "\\$\\{[^}]+\\}",
          "description", "${NAME}, ${conf:spark.some.key} or ${conf}");

  private JsonSchema() {}

  static String text() throws JsonProcessingException {
    Map<String, Object> sections = new LinkedHashMap<>();
    ConfigSchema.sections().forEach(section -> sections.put(section, section(section)));
    Map<String, Object> schema = new LinkedHashMap<>(object(sections));
    schema.put("$schema", "http://json-schema.org/draft-07/schema#");
    schema.put("title", "Configuration of Anneal");
    schema.put("definitions", Map.of("reference", REFERENCE));
    DefaultPrettyPrinter lines =
        new DefaultPrettyPrinter().withObjectIndenter(new DefaultIndenter("  ", "\n"));
    return MAPPER.writer(lines).writeValueAsString(schema) + "\n";
  }

  private static Map<String, Object> section(String name) {
    Map<String, Object> fields = new LinkedHashMap<>();
    ConfigSchema.keysOf(name).forEach(key -> fields.put(key.field(), value(key)));
    Map<String, Object> section = new LinkedHashMap<>(object(fields));
    section.put("type", List.of("object", "null"));
    return section;
  }

  private static Map<String, Object> object(Map<String, Object> properties) {
    return Map.of("type", "object", "additionalProperties", false, "properties", properties);
  }

  private static Map<String, Object> value(ConfigKey key) {
    Map<String, Object> value = new LinkedHashMap<>();
    value.put("description", key.text());
    value.put("default", key.defaultValue());
    value.put("anyOf", List.of(key.rule().schema(), Map.of("$ref", "#/definitions/reference")));
    return value;
  }
}
