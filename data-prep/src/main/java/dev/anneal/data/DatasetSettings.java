package dev.anneal.data;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The part of {@link PrepSpec} that decides what the files of a data set hold, as {@code
 * dataset.json} has it.
 */
public final class DatasetSettings {
  private static final String TOKENIZER = "tokenizer";
  private static final String TEMPLATE = "template";

  /** Where something lies does not decide what it is. */
  private static final List<String> PLACES = List.of(TOKENIZER, TEMPLATE);

  private final ObjectNode values;

  @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
  private DatasetSettings(ObjectNode values) {
    this.values = values;
  }

  static DatasetSettings of(PrepSpec spec) {
    ObjectNode values = JsonNodeFactory.instance.objectNode();
    PrepSpec.Rows rows = spec.rows();
    PrepSpec.Sequences sequences = spec.sequences();
    values.put("source", rows.source());
    values.put("format", rows.format().configName());
    ObjectNode columns = values.putObject("columns");
    rows.columns().forEach(columns::put);
    values.put(TEMPLATE, rows.template());
    values.put("max_length", sequences.maxLength());
    values.put("long_rows", sequences.longRows().name().toLowerCase(Locale.ROOT));
    values.put("packing", sequences.packing());
    values.put("shuffle", sequences.shuffle());
    values.put("train_on_prompt", sequences.trainOnPrompt());
    values.put("limit", rows.limit());
    values.put("eval_rows", rows.evalRows());
    values.put("max_bad_rows", rows.maxBadRows());
    values.put("seed", spec.seed());
    values.put(TOKENIZER, spec.tokenizer());
    return new DatasetSettings(values);
  }

  /** Folder of the tokenizer; {@code null} where rows came tokenized. */
  public String tokenizer() {
    return values.path(TOKENIZER).textValue();
  }

  /**
   * The first setting that is not that of an earlier preparation, as {@code max_length is 512 and
   * was 1024}; where tokenizer and template lie does not count.
   */
  Optional<String> differenceFrom(DatasetSettings before) {
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
