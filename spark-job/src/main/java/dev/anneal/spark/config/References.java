package dev.anneal.spark.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Redaction;
import dev.anneal.training.io.Excerpt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Puts in the place of a reference in a text what it stands for: {@code ${NAME}} an environment
 * variable, {@code ${conf:spark.some.key}} a setting of Spark's, {@code ${conf}} the folder of the
 * configuration file. After a second dollar sign it is no reference, and loses that sign.
 */
final class References {
  private static final String BEGIN = "${";
  private static final String CONF_FOLDER = "conf";
  private static final String SPARK_SETTING = "conf:";
  private static final Pattern REFERENCE = Pattern.compile("(\\$?)\\$\\{([^}]*)}");
  private static final Pattern VARIABLE = Pattern.compile("[a-zA-Z_][a-zA-Z0-9_]*");

  private final ConfigContext context;

  References(ConfigContext context) {
    this.context = context;
  }

  /** Whether a value has any, in whatever depth. */
  static boolean areIn(JsonNode value) {
    if (value.isTextual()) {
      return value.textValue().contains(BEGIN);
    }
    for (JsonNode element : value) {
      if (areIn(element)) {
        return true;
      }
    }
    return false;
  }

  /**
   * The value with what its texts refer to.
   *
   * @throws BadRequestException if something is not defined, or secret
   */
  JsonNode resolve(JsonNode value, Setting setting) {
    if (value.isTextual()) {
      return TextNode.valueOf(resolve(value.textValue(), setting));
    }
    if (value.isArray()) {
      ArrayNode elements = JsonNodeFactory.instance.arrayNode();
      value.forEach(element -> elements.add(resolve(element, setting)));
      return elements;
    }
    if (value.isObject()) {
      ObjectNode fields = JsonNodeFactory.instance.objectNode();
      value
          .properties()
          .forEach(field -> fields.set(field.getKey(), resolve(field.getValue(), setting)));
      return fields;
    }
    return value;
  }

  private String resolve(String text, Setting setting) {
    return REFERENCE
        .matcher(text)
        .replaceAll(found -> Matcher.quoteReplacement(replacement(found.group(), setting)));
  }

  private String replacement(String found, Setting setting) {
    if (found.startsWith("$$")) {
      return found.substring(1);
    }
    String name = found.substring(BEGIN.length(), found.length() - 1);
    if (name.equals(CONF_FOLDER)) {
      return setting
          .folder()
          .orElseThrow(
              () ->
                  refusal(
                      setting,
                      found,
                      "the folder of the configuration file, and there is no such folder: write the folder itself"));
    }
    if (name.startsWith(SPARK_SETTING)) {
      String key = name.substring(SPARK_SETTING.length());
      return open(
          context.spark().get(key, null),
          setting,
          found,
          "a setting that Spark does not have: add --conf %s=..., or write the value itself"
              .formatted(Excerpt.of(key)));
    }
    if (!VARIABLE.matcher(name).matches()) {
      throw refusal(
          setting,
          found,
          "which is none of ${NAME}, ${conf:spark.some.key} and ${conf}: correct it, or write $${ for the text itself");
    }
    return open(
        context.environment().apply(name),
        setting,
        found,
        "an environment variable that the driver does not have: set it there, or write the value itself");
  }

  /** What is in a value would be in messages, in the record of the run and in Spark's pages. */
  private String open(String value, Setting setting, String found, String undefined) {
    if (value == null) {
      throw refusal(setting, found, undefined);
    }
    boolean mayBeSecret = setting.key().kind() == ConfigKey.Kind.SECRET;
    if (!mayBeSecret
        && !value.equals(Redaction.of(context.spark(), context.hadoop().get()).mask(value))) {
      throw refusal(
          setting,
          found,
          "which is secret and would be written into run.json: take it out, and give credentials as Hadoop takes them, as in fs.s3a.access.key or the environment");
    }
    return value;
  }

  private static BadRequestException refusal(Setting setting, String found, String why) {
    return new BadRequestException(
        "%s in %s refers to %s, %s."
            .formatted(setting.key().name(), setting.origin(), Excerpt.of(found), why));
  }
}
