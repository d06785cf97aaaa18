package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Which column of the source stands for a field of the format. A column of a nested object is named
 * with dots ({@code answer.text}) where no column has the whole name. A column that stands for a
 * field is taken: it is no longer there under its own name.
 */
public final class Columns implements Serializable {
  private static final long serialVersionUID = 1L;

  private final TreeMap<String, String> columnOfField;

  public Columns(Map<String, String> columnOfField) {
    this.columnOfField = new TreeMap<>(columnOfField);
  }

  /**
   * A row as it was understood.
   *
   * @param source where its own field says that it comes from; empty where none does
   */
  public record Parsed(Example example, FieldUse fields, String source) {}

  /**
   * Reads a row whose columns have names of their own.
   *
   * @throws BadRowException as {@link RowFormat#parse}, naming the column
   */
  public Parsed parse(JsonNode row, RowFormat format) throws BadRowException {
    if (!row.isObject()) {
      return new Parsed(format.parse(row), new FieldUse(Set.of(), Set.of()), "");
    }
    Set<String> mapped = new TreeSet<>();
    Set<String> unread = new TreeSet<>();
    ObjectNode taken = columnOfField.isEmpty() ? (ObjectNode) row : take(row, mapped, unread);
    try {
      Example example = format.parse(taken);
      unread.addAll(format.unread(taken));
      return new Parsed(example, new FieldUse(unread, mapped), RowSource.of(taken));
    } catch (BadRowException e) {
      throw new BadRowException(naming(e.getMessage()));
    }
  }

  private ObjectNode take(JsonNode row, Set<String> mapped, Set<String> unread) {
    ObjectNode rest = JsonNodeFactory.instance.objectNode();
    rest.setAll((ObjectNode) row);
    Map<String, JsonNode> values = new LinkedHashMap<>();
    Set<String> columns = new TreeSet<>();
    for (Map.Entry<String, String> mapping : columnOfField.entrySet()) {
      String name = mapping.getValue();
      JsonNode value = column(row, name);
      values.put(mapping.getKey(), value);
      if (!value.isMissingNode()) {
        mapped.add(name);
        String column = row.has(name) ? name : name.substring(0, name.indexOf('.'));
        rest.remove(column);
        columns.add(column);
      }
    }
    columns.forEach(column -> nameOthers(row.get(column), column, unread));
    values.forEach(
        (field, value) -> {
          JsonNode own = rest.remove(field);
          if (own != null && !own.isNull()) {
            // another column stands in its place
            unread.add(field);
          }
          if (!value.isMissingNode()) {
            rest.set(field, value);
          }
        });
    return rest;
  }

  /** What a nested column holds beside what is mapped. */
  private void nameOthers(JsonNode column, String name, Set<String> unread) {
    if (columnOfField.containsValue(name)) {
      return;
    }
    for (Map.Entry<String, JsonNode> field : column.properties()) {
      String nested = name + "." + field.getKey();
      if (columnOfField.values().stream().anyMatch(mapped -> mapped.startsWith(nested + "."))) {
        nameOthers(field.getValue(), nested, unread);
      } else if (!columnOfField.containsValue(nested) && Fields.isGiven(column, field.getKey())) {
        unread.add(nested);
      }
    }
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
