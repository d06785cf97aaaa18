package dev.anneal.data.manifest;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The settings that decide what the files of a data set hold, as {@code dataset.json} has them. */
public final class DatasetSettings {
  private static final String TOKENIZER = "tokenizer";
  private static final String TEMPLATE = "template";
  private static final String MAX_LENGTH = "max_length";
  private static final String LONG_ROWS = "long_rows";
  private static final String DROP = "drop";

  /** Where something lies does not decide what it is. */
  private static final List<String> PLACES = List.of(TOKENIZER, TEMPLATE);

  private final ObjectNode values;

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  public DatasetSettings(ObjectNode values) {
    this.values = values;
  }

  /** Folder of the tokenizer; {@code null} where rows came tokenized. */
  public String tokenizer() {
    return values.path(TOKENIZER).textValue();
  }

  /** Whether rows that are longer were left out. */
  public boolean dropsLongRows() {
    return DROP.equals(values.path(LONG_ROWS).textValue());
  }

  /** Tokens of the longest sequence that was asked for; 0 where nothing says it. */
  public int maxLength() {
    return values.path(MAX_LENGTH).intValue();
  }

  /**
   * The first setting that is not that of an earlier preparation, as {@code max_length is 512 and
   * was 1024}; where tokenizer and template lie does not count.
   */
  public Optional<String> differenceFrom(DatasetSettings before) {
    return values.properties().stream()
        .filter(setting -> !PLACES.contains(setting.getKey()))
        .map(setting -> difference(setting, before.values.get(setting.getKey())))
        .flatMap(Optional::stream)
        .findFirst();
  }

  private static Optional<String> difference(Map.Entry<String, JsonNode> setting, JsonNode then) {
    String now = setting.getValue().toString();
    return now.equals(String.valueOf(then))
        ? Optional.empty()
        : Optional.of("%s is %s and was %s".formatted(setting.getKey(), now, then));
  }

  @JsonValue
  ObjectNode values() {
    return values;
  }

  // as text: a number that was read may have another type than the same one that was not
  @Override
  public boolean equals(Object other) {
    return other instanceof DatasetSettings settings
        && values.toString().equals(settings.values.toString());
  }

  @Override
  public int hashCode() {
    return values.toString().hashCode();
  }
}
