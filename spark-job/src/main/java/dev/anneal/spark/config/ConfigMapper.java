package dev.anneal.spark.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.anneal.spark.Redaction;
import java.lang.reflect.RecordComponent;

/**
 * Between the checked tree of a configuration and its records. A section's record may have parts
 * that are records: the tree has their fields in the section.
 */
final class ConfigMapper {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE)
          .build();

  private ConfigMapper() {}

  static AnnealConfig toConfig(ObjectNode tree) {
    ObjectNode nested = MAPPER.createObjectNode();
    for (RecordComponent section : AnnealConfig.class.getRecordComponents()) {
      nested.set(name(section), nested(section.getType(), tree.path(name(section))));
    }
    try {
      return MAPPER.treeToValue(nested, AnnealConfig.class);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("ConfigKeys accept what AnnealConfig cannot hold", e);
    }
  }

  static ObjectNode toTree(AnnealConfig config) {
    ObjectNode nested = MAPPER.valueToTree(config);
    ObjectNode tree = MAPPER.createObjectNode();
    for (RecordComponent section : AnnealConfig.class.getRecordComponents()) {
      flatten(
          section.getType(), nested.path(name(section)), tree.withObjectProperty(name(section)));
    }
    // in the order of the file
    return ConfigSchema.tree(key -> shown(key, tree.path(key.section()).path(key.field())));
  }

  private static JsonNode shown(ConfigKey key, JsonNode value) {
    return key.kind() == ConfigKey.Kind.SECRET && !value.isNull()
        ? TextNode.valueOf(Redaction.MASK)
        : value;
  }

  private static void flatten(Class<?> type, JsonNode nested, ObjectNode fields) {
    for (RecordComponent field : type.getRecordComponents()) {
      JsonNode value = nested.path(name(field));
      if (field.getType().isRecord()) {
        flatten(field.getType(), value, fields);
      } else {
        fields.set(name(field), value);
      }
    }
  }

  private static ObjectNode nested(Class<?> type, JsonNode fields) {
    ObjectNode tree = MAPPER.createObjectNode();
    for (RecordComponent field : type.getRecordComponents()) {
      boolean isPart = field.getType().isRecord();
      tree.set(name(field), isPart ? nested(field.getType(), fields) : fields.path(name(field)));
    }
    return tree;
  }

  private static String name(RecordComponent component) {
    return PropertyNamingStrategies.SnakeCaseStrategy.INSTANCE.translate(component.getName());
  }
}
