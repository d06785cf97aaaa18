package dev.anneal.training.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A JSON object of a model folder. Its fields are read by type, and an {@link
 * InvalidModelException} names the file and the key of one that does not fit. A field that is
 * {@code null} counts as missing, as it does in Hugging Face's configurations.
 */
public final class JsonObject {
  private static final int MAX_BYTES = 100_000_000;

  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private final ObjectNode node;
  private final String where;
  private final String prefix;

  private JsonObject(ObjectNode node, String where, String prefix) {
    this.node = node;
    this.where = where;
    this.prefix = prefix;
  }

  /** Reads {@code file} of {@code folder}. */
  public static JsonObject read(ModelFolder folder, String file) throws IOException {
    String where = folder.locationOf(file);
    if (!folder.has(file)) {
      throw new InvalidModelException(
          folder.location() + " has no " + file + "; is this a complete model folder?");
    }
    try (SeekableByteChannel channel = folder.open(file)) {
      long size = channel.size();
      if (size > MAX_BYTES) {
        throw new InvalidModelException(where + " has " + size + " bytes, too many for JSON.");
      }
      ByteBuffer bytes = ByteBuffer.allocate((int) size);
      while (bytes.hasRemaining() && channel.read(bytes) >= 0) {}
      LfsPointer.refuse(bytes.flip(), where);
      return parse(bytes, where);
    }
  }

  /** Parses {@code json}; {@code where} is what messages call it. */
  public static JsonObject parse(String json, String where) {
    try {
      if (MAPPER.readTree(json) instanceof ObjectNode object) {
        return new JsonObject(object, where, "");
      }
      throw new InvalidModelException(where + " is not a JSON object.");
    } catch (JsonProcessingException e) {
      String place =
          e.getLocation() == null
              ? ""
              : " at line %s, column %s"
                  .formatted(e.getLocation().getLineNr(), e.getLocation().getColumnNr());
      throw new InvalidModelException(where + " is not valid JSON" + place + ".", e);
    }
  }

  /** Parses {@code utf8}, JSON in that encoding; {@code where} is what messages call it. */
  public static JsonObject parse(ByteBuffer utf8, String where) {
    try {
      return parse(StandardCharsets.UTF_8.newDecoder().decode(utf8).toString(), where);
    } catch (CharacterCodingException e) {
      throw new InvalidModelException(where + " is not valid JSON: it is not UTF-8 text.", e);
    }
  }

  /** An empty object to fill and {@link #print}. */
  public static ObjectNode create() {
    return MAPPER.createObjectNode();
  }

  /** Indented by two spaces, as Hugging Face's libraries write their configurations. */
  public static String print(ObjectNode object) {
    DefaultIndenter indenter = new DefaultIndenter("  ", "\n");
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter()
            .withSeparators(
                Separators.createDefaultInstance()
                    .withObjectFieldValueSpacing(Separators.Spacing.AFTER)
                    .withObjectEmptySeparator("")
                    .withArrayEmptySeparator(""));
    printer.indentObjectsWith(indenter);
    printer.indentArraysWith(indenter);
    try {
      return MAPPER.writer(printer).writeValueAsString(object) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("not printable as JSON", e);
    }
  }

  /** The names of the fields, in their order. */
  public List<String> keys() {
    List<String> keys = new ArrayList<>(node.size());
    node.fieldNames().forEachRemaining(keys::add);
    return keys;
  }

  /** Whether {@code key} is there and not null. */
  public boolean has(String key) {
    return node.hasNonNull(key);
  }

  /** Whether {@code key} is missing or null, false, or an empty string, list or object. */
  public boolean isUnset(String key) {
    JsonNode value = node.get(key);
    return value == null
        || value.isNull()
        || (value.isBoolean() && !value.booleanValue())
        || (value.isTextual() && value.textValue().isEmpty())
        || (value.isContainerNode() && value.isEmpty());
  }

  /** Whether {@code key} is there and text. */
  public boolean isText(String key) {
    return node.path(key).isTextual();
  }

  /** The text at {@code key}. */
  public String text(String key) {
    JsonNode value = require(key);
    if (!value.isTextual()) {
      throw mistyped(key, "text", value);
    }
    return value.textValue();
  }

  /** The whole number of 32 bits at {@code key}. */
  public int intNumber(String key) {
    return intNumber(key, require(key));
  }

  /** The whole number of 64 bits at {@code key}. */
  public long longNumber(String key) {
    return wholeNumber(key, require(key));
  }

  /** The finite number at {@code key}. */
  public double number(String key) {
    JsonNode value = require(key);
    if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
      throw mistyped(key, "a number", value);
    }
    return value.doubleValue();
  }

  /** The finite number at {@code key}, or {@code missing}. */
  public double number(String key, double missing) {
    return has(key) ? number(key) : missing;
  }

  /** The flag at {@code key}, false where it is missing. */
  public boolean flag(String key) {
    if (!has(key)) {
      return false;
    }
    JsonNode value = require(key);
    if (!value.isBoolean()) {
      throw mistyped(key, "true or false", value);
    }
    return value.booleanValue();
  }

  /** The object at {@code key}. */
  public JsonObject object(String key) {
    if (require(key) instanceof ObjectNode object) {
      return new JsonObject(object, where, prefix + key + ".");
    }
    throw mistyped(key, "an object", require(key));
  }

  /** The object at {@code key}, an empty one where it is missing. */
  public JsonObject objectOrEmpty(String key) {
    return has(key) ? object(key) : new JsonObject(create(), where, prefix + key + ".");
  }

  /** The objects in the list at {@code key}. */
  public List<JsonObject> objects(String key) {
    List<JsonObject> objects = new ArrayList<>();
    for (JsonNode element : list(key)) {
      if (!(element instanceof ObjectNode object)) {
        throw mistyped(key, "a list of objects", element);
      }
      objects.add(new JsonObject(object, where, prefix + key + "[" + objects.size() + "]."));
    }
    return objects;
  }

  /** The texts in the list at {@code key}. */
  public List<String> texts(String key) {
    List<String> texts = new ArrayList<>();
    for (JsonNode element : list(key)) {
      if (!element.isTextual()) {
        throw mistyped(key, "a list of texts", element);
      }
      texts.add(element.textValue());
    }
    return texts;
  }

  /** The whole numbers in the list at {@code key}. */
  public List<Long> wholeNumbers(String key) {
    List<Long> numbers = new ArrayList<>();
    for (JsonNode element : list(key)) {
      numbers.add(wholeNumber(key, element));
    }
    return numbers;
  }

  /** The whole numbers of 32 bits at {@code key}: one number, a list of them, or none. */
  public List<Integer> intNumbers(String key) {
    if (!has(key)) {
      return List.of();
    }
    JsonNode value = require(key);
    if (!value.isArray()) {
      return List.of(intNumber(key, value));
    }
    List<Integer> numbers = new ArrayList<>();
    for (JsonNode element : value) {
      numbers.add(intNumber(key, element));
    }
    return numbers;
  }

  /** The refusal of the value at {@code key}: {@code <file>: <key> <problem>}. */
  public InvalidModelException refuse(String key, String problem) {
    return new InvalidModelException(where + ": " + Excerpt.of(prefix + key) + " " + problem);
  }

  private JsonNode require(String key) {
    if (!has(key)) {
      throw refuse(key, "is missing.");
    }
    return node.get(key);
  }

  private JsonNode list(String key) {
    JsonNode value = require(key);
    if (!value.isArray()) {
      throw mistyped(key, "a list", value);
    }
    return value;
  }

  private int intNumber(String key, JsonNode value) {
    long number = wholeNumber(key, value);
    if (number != (int) number) {
      throw mistyped(key, "a whole number of 32 bits", value);
    }
    return (int) number;
  }

  private long wholeNumber(String key, JsonNode value) {
    if (!value.canConvertToExactIntegral() || !value.canConvertToLong()) {
      throw mistyped(key, "a whole number", value);
    }
    return value.longValue();
  }

  private InvalidModelException mistyped(String key, String expected, JsonNode found) {
    return refuse(key, "must be %s, not %s.".formatted(expected, Excerpt.of(found.toString())));
  }
}
