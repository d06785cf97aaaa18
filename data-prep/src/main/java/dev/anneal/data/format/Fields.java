package dev.anneal.data.format;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.source.JsonRows;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** Checked access to the fields of a row. */
final class Fields {
  private static final ObjectMapper JSON = new ObjectMapper();

  private Fields() {}

  /** Text of a field that must hold more than blanks. */
  static String text(JsonNode row, String name) throws BadRowException {
    JsonNode value = row.path(name);
    if (value.isMissingNode()) {
      throw new BadRowException("field '" + name + "' is missing");
    }
    String text = checked(value, name);
    if (text.isBlank()) {
      throw new BadRowException("field '" + name + "' is empty");
    }
    return text;
  }

  /** Text of a field that may be missing, null or empty: then the empty text. */
  static String optionalText(JsonNode row, String name) throws BadRowException {
    JsonNode value = row.path(name);
    return value.isMissingNode() || value.isNull() ? "" : checked(value, name);
  }

  /** Whether the field holds anything: not null, nor blank, nor an empty list or object. */
  static boolean isGiven(JsonNode row, String name) {
    JsonNode value = row.path(name);
    if (value.isTextual()) {
      return !value.textValue().isBlank();
    }
    return value.isContainerNode() ? !value.isEmpty() : !value.isMissingNode() && !value.isNull();
  }

  /** The value in lists, maps, texts and numbers. */
  static Object plain(JsonNode value) {
    return JSON.convertValue(value, new TypeReference<Object>() {});
  }

  /** An object's fields in lists, maps, texts and numbers, in their order. */
  static Map<String, Object> object(JsonNode value) {
    return JSON.convertValue(value, new TypeReference<LinkedHashMap<String, Object>>() {});
  }

  /** A list or object, which may also be written as text, as files of plain columns have it. */
  static JsonNode json(JsonNode row, String name) {
    JsonNode value = row.path(name);
    if (!value.isTextual()) {
      return value;
    }
    try {
      return JsonRows.parse(value.textValue());
    } catch (IOException e) {
      return value;
    }
  }

  private static String checked(JsonNode value, String name) throws BadRowException {
    if (!value.isTextual()) {
      throw new BadRowException("field '" + name + "' is not text");
    }
    String text = value.textValue();
    if (hasUnpairedSurrogate(text)) {
      throw new BadRowException("field '" + name + "' holds half a character");
    }
    return text;
  }

  /** Of what was rendered, whatever field it came from. */
  static void requireWholeCharacters(String rendered) throws BadRowException {
    if (hasUnpairedSurrogate(rendered)) {
      throw new BadRowException("the rendered conversation holds half a character");
    }
  }

  private static boolean hasUnpairedSurrogate(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
      } else if (Character.isSurrogate(c)) {
        return true;
      }
    }
    return false;
  }
}
