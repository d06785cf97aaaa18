package dev.anneal.spark.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.DoublePredicate;
import java.util.function.UnaryOperator;

/**
 * What a value of a key must be.
 *
 * @param expected in words, to follow "must be"
 * @param schema the same in the words of JSON Schema
 * @param read gives the value in the form that the configuration holds, or {@code null} where it is
 *     not as expected
 */
record Rule(String expected, Map<String, Object> schema, UnaryOperator<JsonNode> read) {

  /** The value as the configuration holds it; empty where it breaks the rule. */
  Optional<JsonNode> apply(JsonNode value) {
    return Optional.ofNullable(read.apply(value));
  }

  /** This rule, or no value at all. */
  Rule orNone() {
    return new Rule(
        expected + " or null",
        Map.of("anyOf", List.of(schema, Map.of("type", "null"))),
        value -> value.isNull() ? value : read.apply(value));
  }

  /** This rule or another. */
  Rule or(Rule other) {
    return new Rule(
        expected + ", or " + other.expected,
        Map.of("anyOf", List.of(schema, other.schema)),
        value -> apply(value).or(() -> other.apply(value)).orElse(null));
  }

  static Rule text() {
    return text("a text");
  }

  private static Rule text(String expected) {
    return new Rule(
        expected,
        Map.of("type", List.of("string", "number", "boolean"), "pattern", "\\S"),
        value ->
            value.isValueNode() && !value.isNull() && !value.asText().isBlank()
                ? TextNode.valueOf(value.asText())
                : null);
  }

  /** A text; but what a reference gives in brackets is a list. */
  static Rule regularExpression() {
    Rule text = text("a regular expression");
    return new Rule(
        text.expected,
        text.schema,
        value -> value.asText().matches("\\[.*]") ? null : text.read.apply(value));
  }

  /** A text of a form. */
  static Rule matching(String expected, String pattern) {
    return new Rule(
        expected,
        Map.of("type", "string", "pattern", "^" + pattern + "$"),
        value -> value.isTextual() && value.textValue().matches(pattern) ? value : null);
  }

  /** The address of a service on the web. */
  static Rule webAddress() {
    return new Rule(
        "an http:// or https:// address",
        Map.of("type", "string", "pattern", "^https?://"),
        value -> value.isTextual() && isWebAddress(value.textValue()) ? value : null);
  }

  private static boolean isWebAddress(String text) {
    try {
      URI uri = new URI(text);
      return uri.getHost() != null && String.valueOf(uri.getScheme()).matches("(?i)https?");
    } catch (URISyntaxException e) {
      return false;
    }
  }

  static Rule bool() {
    return new Rule(
        "true or false", Map.of("type", "boolean"), value -> value.isBoolean() ? value : null);
  }

  static Rule wholeNumber(long least, long most) {
    boolean open = most == Long.MAX_VALUE || most == Integer.MAX_VALUE;
    return new Rule(
        open
            ? "a whole number of at least " + least
            : "a whole number from %s to %s".formatted(least, most),
        Map.of("type", "integer", "minimum", least, "maximum", most),
        value ->
            value.isNumber()
                    && value.canConvertToExactIntegral()
                    && value.canConvertToLong()
                    && value.longValue() >= least
                    && value.longValue() <= most
                ? LongNode.valueOf(value.longValue())
                : null);
  }

  static Rule above(int least) {
    return number(
        "a number greater than " + least, Map.of("exclusiveMinimum", least), x -> x > least);
  }

  static Rule atLeast(int least) {
    return number("a number of at least " + least, Map.of("minimum", least), x -> x >= least);
  }

  static Rule share() {
    return number(
        "a number from 0 to 1", Map.of("minimum", 0, "maximum", 1), x -> x >= 0 && x <= 1);
  }

  static Rule shareBelowOne() {
    return number(
        "a number from 0 to less than 1",
        Map.of("minimum", 0, "exclusiveMaximum", 1),
        x -> x >= 0 && x < 1);
  }

  private static Rule number(String expected, Map<String, Object> range, DoublePredicate holds) {
    Map<String, Object> schema = new TreeMap<>(range);
    schema.put("type", "number");
    return new Rule(
        expected,
        schema,
        value ->
            value.isNumber()
                    && Double.isFinite(value.doubleValue())
                    && holds.test(value.doubleValue())
                ? DoubleNode.valueOf(value.doubleValue())
                : null);
  }

  static Rule oneOf(String... choices) {
    List<String> known = List.of(choices);
    return new Rule(
        "one of " + String.join(", ", known),
        Map.of("enum", known),
        value ->
            value.isTextual() && known.contains(value.asText().toLowerCase(Locale.ROOT))
                ? TextNode.valueOf(value.asText().toLowerCase(Locale.ROOT))
                : null);
  }

  /** One word and no other. */
  static Rule word(String word) {
    Rule choice = oneOf(word);
    return new Rule(word, choice.schema, choice.read);
  }

  /** Values by name that each keep {@code element}. */
  static Rule mapping(String expected, Rule element) {
    return new Rule(
        expected,
        Map.of("type", "object", "additionalProperties", element.schema()),
        value -> {
          if (!value.isObject()) {
            return null;
          }
          ObjectNode elements = JsonNodeFactory.instance.objectNode();
          for (Map.Entry<String, JsonNode> item : value.properties()) {
            Optional<JsonNode> read = element.apply(item.getValue());
            if (read.isEmpty()) {
              return null;
            }
            elements.set(item.getKey(), read.get());
          }
          return elements;
        });
  }

  /** A list of {@code least} to {@code most} values that each keep {@code element}. */
  static Rule list(String expected, int least, int most, Rule element) {
    return new Rule(
        expected,
        Map.of("type", "array", "minItems", least, "maxItems", most, "items", element.schema()),
        value -> {
          if (!value.isArray() || value.size() < least || value.size() > most) {
            return null;
          }
          ArrayNode elements = JsonNodeFactory.instance.arrayNode();
          for (JsonNode item : value) {
            Optional<JsonNode> read = element.apply(item);
            if (read.isEmpty()) {
              return null;
            }
            elements.add(read.get());
          }
          return elements;
        });
  }
}
