package dev.anneal.spark.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Redaction;
import dev.anneal.training.io.Excerpt;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Lays a configuration file and {@code --set} options over the defaults; a later one wins. */
public final class ConfigLoader {
  private static final YAMLMapper YAML =
      YAMLMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
  private static final int MAX_FILE_BYTES = 1 << 20;
  private final ObjectNode tree = ConfigSchema.defaults();

  private ConfigLoader() {}

  /**
   * Loads a configuration.
   *
   * @param file YAML; {@code null} for the defaults alone
   * @param sets {@code key=value}, the value in YAML
   * @param workingFolder what relative paths are relative to
   * @throws BadRequestException naming the first key that is unknown or has an unfit value
   */
  public static AnnealConfig load(Path file, List<String> sets, Path workingFolder) {
    ConfigLoader loader = new ConfigLoader();
    if (file != null) {
      loader.overlayFile(workingFolder.resolve(file), file.toString());
    }
    for (String set : sets) {
      loader.overlaySet(set);
    }
    loader.resolveLocations(workingFolder);
    return ConfigMapper.toConfig(loader.tree);
  }

  private void overlayFile(Path file, String name) {
    String text;
    try {
      if (Files.size(file) > MAX_FILE_BYTES) {
        throw new BadRequestException(
            "The configuration %s has %d bytes, and %d are allowed: check --config."
                .formatted(name, Files.size(file), MAX_FILE_BYTES));
      }
      text = Files.readString(file);
    } catch (IOException e) {
      throw new BadRequestException(
          "The configuration %s cannot be read: check --config.".formatted(name), e);
    }
    Path folder = file.toAbsolutePath().normalize().getParent();
    overlay(parse(text, name), name, value -> expand(value, folder));
  }

  private void overlaySet(String set) {
    String origin = "--set " + Excerpt.of(set);
    int equals = set.indexOf('=');
    if (equals < 1) {
      throw new BadRequestException(
          "%s has no value: write --set KEY=VALUE, as in --set training.max_steps=100."
              .formatted(origin));
    }
    String key = set.substring(0, equals);
    JsonNode value = parse(set.substring(equals + 1), origin);
    ObjectNode root = YAML.createObjectNode();
    int dot = key.indexOf('.');
    if (dot < 0) {
      root.set(key, value);
    } else {
      root.putObject(key.substring(0, dot)).set(key.substring(dot + 1), value);
    }
    overlay(root, origin, UnaryOperator.identity());
  }

  private static JsonNode parse(String yaml, String origin) {
    try {
      JsonNode node = YAML.readTree(yaml);
      return node.isMissingNode() ? YAML.nullNode() : node;
    } catch (JsonProcessingException e) {
      String line = e.getLocation() == null ? "" : " line " + e.getLocation().getLineNr();
      throw new BadRequestException(
          "%s%s is not valid YAML (%s): correct it, or put quotes around a text."
              .formatted(
                  origin, line, Excerpt.of(e.getOriginalMessage().lines().findFirst().orElse(""))),
          e);
    }
  }

  private void overlay(JsonNode root, String origin, UnaryOperator<JsonNode> preprocess) {
    if (root.isNull()) {
      return;
    }
    if (!root.isObject()) {
      throw new BadRequestException(
          "%s must hold sections such as 'model:' and 'training:', but holds %s."
              .formatted(origin, show(root)));
    }
    for (Map.Entry<String, JsonNode> section : root.properties()) {
      overlaySection(section.getKey(), section.getValue(), origin, preprocess);
    }
  }

  private void overlaySection(
      String section, JsonNode fields, String origin, UnaryOperator<JsonNode> preprocess) {
    if (!ConfigSchema.isSection(section)) {
      throw Suggestions.unknownKey(section, origin);
    }
    if (fields.isNull()) {
      return;
    }
    if (!fields.isObject()) {
      throw new BadRequestException(
          "%s in %s is %s, but must be a section with the keys %s."
              .formatted(section, origin, show(fields), ConfigSchema.fieldsOf(section)));
    }
    for (Map.Entry<String, JsonNode> field : fields.properties()) {
      set(section + "." + field.getKey(), preprocess.apply(field.getValue()), origin);
    }
  }

  private void set(String name, JsonNode value, String origin) {
    ConfigKey key = ConfigSchema.key(name);
    if (key == null) {
      throw Suggestions.unknownKey(name, origin);
    }
    JsonNode read =
        key.rule()
            .apply(value)
            .orElseThrow(
                () ->
                    new BadRequestException(
                        "%s in %s is %s, but must be %s."
                            .formatted(name, origin, show(value), key.rule().expected())));
    tree.withObjectProperty(key.section()).set(key.field(), read);
  }

  private void resolveLocations(Path workingFolder) {
    for (ConfigKey key : ConfigSchema.keys()) {
      ObjectNode section = tree.withObjectProperty(key.section());
      JsonNode location = section.get(key.field());
      if (key.kind() == ConfigKey.Kind.LOCATION && location.isTextual()) {
        requireNoSecret(key.name(), location.textValue());
        section.put(key.field(), Locations.resolve(location.textValue(), workingFolder));
      }
    }
  }

  /** What is in a location would be in messages, in the record of the run and in Spark's pages. */
  private static void requireNoSecret(String key, String location) {
    if (Redaction.carriesSecret(location)) {
      throw new BadRequestException(
          "%s holds a user name or a key in front of its host: take it out, and give credentials as Hadoop takes them, as in fs.s3a.access.key or the environment."
              .formatted(key));
    }
  }

  private static JsonNode expand(JsonNode value, Path confFolder) {
    return value.isTextual()
        ? TextNode.valueOf(Locations.expand(value.textValue(), confFolder))
        : value;
  }

  private static String show(JsonNode value) {
    return value.isTextual()
        ? "'" + Excerpt.of(value.textValue()) + "'"
        : Excerpt.of(value.toString());
  }
}
