package dev.anneal.spark.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.cfg.EnumFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** Between the checked tree of a configuration and its records. */
final class ConfigMapper {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE)
          .build();

  private ConfigMapper() {}

  static AnnealConfig toConfig(JsonNode tree) {
    try {
      return MAPPER.treeToValue(tree, AnnealConfig.class);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("ConfigSchema accepts what AnnealConfig cannot hold", e);
    }
  }

  static ObjectNode toTree(AnnealConfig config) {
    return MAPPER.valueToTree(config);
  }
}
