package dev.anneal.spark.config;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Optional;

/**
 * A value as somebody has written it.
 *
 * @param origin who, as a message says it
 * @param folder that of the configuration file
 */
record Setting(ConfigKey key, JsonNode value, String origin, Optional<String> folder) {}
