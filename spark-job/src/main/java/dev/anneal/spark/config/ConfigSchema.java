package dev.anneal.spark.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What follows from the keys that {@link ConfigKeys} declares. */
final class ConfigSchema {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private static final Map<String, ConfigKey> BY_NAME =
      ConfigKeys.ALL.stream()
          .collect(Collectors.toUnmodifiableMap(ConfigKey::name, Function.identity()));

  private ConfigSchema() {}

  static List<ConfigKey> keys() {
    return ConfigKeys.ALL;
  }

  /** The key of that name, or {@code null}. */
  static ConfigKey key(String name) {
    return BY_NAME.get(name);
  }

  static Stream<String> sections() {
    return keys().stream().map(ConfigKey::section).distinct();
  }

  static boolean isSection(String name) {
    return sections().anyMatch(name::equals);
  }

  /** Whether a section has a key whose value nobody gets to see. */
  static boolean hasSecrets(String section) {
    return keysOf(section).anyMatch(key -> key.kind() == ConfigKey.Kind.SECRET);
  }

  static Stream<ConfigKey> keysOf(String section) {
    return keys().stream().filter(key -> key.section().equals(section));
  }

  static String fieldsOf(String section) {
    return keysOf(section).map(ConfigKey::field).collect(Collectors.joining(", "));
  }

  /** Every section and key name, for suggestions. */
  static Stream<String> names() {
    return Stream.concat(sections(), keys().stream().map(ConfigKey::name));
  }

  /** The tree in which no key has been set. */
  static ObjectNode defaults() {
    return tree(key -> MAPPER.valueToTree(key.defaultValue()));
  }

  /** A value for every key, by section. */
  static ObjectNode tree(Function<ConfigKey, JsonNode> value) {
    ObjectNode tree = MAPPER.createObjectNode();
    for (ConfigKey key : keys()) {
      tree.withObjectProperty(key.section()).set(key.field(), value.apply(key));
    }
    return tree;
  }

  /** What of a configuration belongs to the identity of its run, by key. */
  static SortedMap<String, String> identity(AnnealConfig config) {
    ObjectNode tree = config.resolved();
    SortedMap<String, String> identity = new TreeMap<>();
    for (ConfigKey key : keys()) {
      if (key.identity().counts().test(config)) {
        JsonNode value = tree.path(key.section()).path(key.field());
        identity.put(key.name(), key.identity().value().apply(value));
      }
    }
    return identity;
  }
}
