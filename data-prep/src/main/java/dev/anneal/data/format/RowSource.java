package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/** Where a row says that it comes from, by which an evaluation tells rows apart. */
final class RowSource {
  /** The first of these that holds a text says it. */
  private static final List<String> FIELDS = List.of("source", "dataset", "dataset_name");

  /** Of longer ones the beginning counts. */
  private static final int MAX_LENGTH = 200;

  private RowSource() {}

  /** It, in one line; empty where nothing says it. */
  static String of(JsonNode row) {
    for (String field : FIELDS) {
      if (isText(row, field)) {
        String text = row.get(field).textValue().strip().replaceAll("\\s+", " ");
        int end = Math.min(text.length(), MAX_LENGTH);
        // not half a character
        boolean cut = end < text.length() && Character.isHighSurrogate(text.charAt(end - 1));
        return text.substring(0, cut ? end - 1 : end);
      }
    }
    return "";
  }

  /** Whether a field is the one that says it. */
  static boolean isRead(JsonNode row, String name) {
    return FIELDS.stream()
        .filter(field -> isText(row, field))
        .findFirst()
        .filter(name::equals)
        .isPresent();
  }

  private static boolean isText(JsonNode row, String field) {
    return row.path(field).isTextual() && !row.path(field).textValue().isBlank();
  }
}
