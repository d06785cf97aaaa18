package dev.anneal.spark.config;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.commons.text.WordUtils;

/** Writes {@code conf/llama3.1-405b.yaml}: every key with its default and what it is. */
final class ReferenceYaml {
  private static final String HEAD =
      """
      # yaml-language-server: $schema=anneal.schema.json
      # Llama 3.1 405B on one node of eight GPUs. Every key is here; apart from the three places that are
      # yours (model.path, data.source, output.path) each stands at its default.
      """;

  private static final Map<String, String> PLACES =
      Map.of(
          "model.path", "s3a://models/Llama-3.1-405B-Instruct",
          "data.source", "s3a://data/alpaca.json",
          "output.path", "s3a://runs/llama3.1-405b");

  private static final int TEXT_COLUMN = 31;
  private static final int LINE = 100;

  private ReferenceYaml() {}

  static String text() {
    return HEAD
        + ConfigSchema.sections()
            .map(
                section ->
                    section
                        + ":\n"
                        + ConfigSchema.keysOf(section)
                            .flatMap(key -> lines(key).stream())
                            .collect(Collectors.joining("\n")))
            .collect(Collectors.joining("\n\n"))
        + "\n";
  }

  private static List<String> lines(ConfigKey key) {
    String value = PLACES.getOrDefault(key.name(), String.valueOf(yaml(key.defaultValue())));
    String start = "  %s: %s".formatted(key.field(), value);
    List<String> lines = new ArrayList<>();
    WordUtils.wrap(said(key), LINE - TEXT_COLUMN - 2)
        .lines()
        .forEach(text -> lines.add(" ".repeat(TEXT_COLUMN) + "# " + text));
    if (start.length() < TEXT_COLUMN) {
      lines.set(0, start + lines.get(0).substring(start.length()));
    } else {
      lines.add(0, start);
    }
    return lines;
  }

  /** Choices are what a reader looks for first. */
  private static String said(ConfigKey key) {
    Object choices = key.rule().schema().get("enum");
    return choices instanceof List<?> list
        ? list.stream().map(Object::toString).collect(Collectors.joining(", ")) + ": " + key.text()
        : key.text();
  }

  private static Object yaml(Object value) {
    if (value instanceof Double number) {
      return number == Math.rint(number)
          ? Long.toString(number.longValue())
          : number.toString().replace(".0E", "e").replace("E", "e");
    }
    return value;
  }
}
