package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Serializable;
import java.util.Map;
import java.util.TreeMap;

/**
 * Which column of the source stands for a field of the format. A column of a nested object is named
 * with dots ({@code answer.text}) where no column has the whole name.
 */
public final class Columns implements Serializable {
  private static final long serialVersionUID = 1L;

  private final TreeMap<String, String> columnOfField;

  public Columns(Map<String, String> columnOfField) {
    this.columnOfField = new TreeMap<>(columnOfField);
  }

  /**
   * Reads a row whose columns have names of their own.
   *
   * @throws BadRowException as {@link RowFormat#parse}, naming the column
   */
  public Example parse(JsonNode row, RowFormat format) throws BadRowException {
    if (columnOfField.isEmpty() || !row.isObject()) {
      return format.parse(row);
    }
    try {
      return format.parse(renamed((ObjectNode) row));
    } catch (BadRowException e) {
      throw new BadRowException(naming(e.getMessage()));
    }
  }

  private ObjectNode renamed(ObjectNode row) {
    ObjectNode renamed = row.deepCopy();
    for (Map.Entry<String, String> mapping : columnOfField.entrySet()) {
      JsonNode value = column(row, mapping.getValue());
      if (value.isMissingNode()) {
        renamed.remove(mapping.getKey());
      } else {
        renamed.set(mapping.getKey(), value);
      }
    }
    return renamed;
  }

  private static JsonNode column(JsonNode row, String name) {
    if (row.has(name)) {
      return row.get(name);
    }
    int dot = name.indexOf('.');
    return dot < 0
        ? row.path(name)
        : column(row.path(name.substring(0, dot)), name.substring(dot + 1));
  }

  private String naming(String reason) {
    String named = reason;
    for (Map.Entry<String, String> mapping : columnOfField.entrySet()) {
      String field = "field '" + mapping.getKey() + "'";
      named = named.replace(field, field + " (column '" + mapping.getValue() + "')");
    }
    return named;
  }
}
