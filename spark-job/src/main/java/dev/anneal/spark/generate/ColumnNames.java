package dev.anneal.spark.generate;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.BadRequestException;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Names that rows have together, which are to be columns: Spark does not tell them by their case.
 */
final class ColumnNames {
  // by their places in lower case
  private final Map<String, String> names = new HashMap<>();

  /**
   * Takes those of one row.
   *
   * @param place of the row, for the message
   * @throws BadRequestException if one differs from another in case only, which Spark would find
   *     when all the work is done
   */
  void take(String place, JsonNode row) {
    take(place, row, "");
  }

  private void take(String place, JsonNode value, String parent) {
    for (Map.Entry<String, JsonNode> field : value.properties()) {
      String name = field.getKey();
      String path = parent + "\n" + name.toLowerCase(Locale.ROOT);
      String before = names.putIfAbsent(path, name);
      if (before != null && !before.equals(name)) {
        throw new BadRequestException(
            "The prompt in %s has '%s' where there is '%s' too, which Spark takes for one column: give one of them another name."
                .formatted(place, name, before));
      }
      take(place, field.getValue(), path);
    }
    if (value.isArray()) {
      value.forEach(element -> take(place, element, parent));
    }
  }
}
