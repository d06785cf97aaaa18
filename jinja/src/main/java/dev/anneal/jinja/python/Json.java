package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Python's {@code json.dumps}. */
public final class Json {
  private static final int MAX_DEPTH = 500;

  /**
   * How it is laid out.
   *
   * @param indent what a level is indented by; null for one line
   */
  public record Layout(
      boolean ascii, String indent, String itemSeparator, String keySeparator, boolean sorted) {}

  private final Budget budget;
  private final Layout layout;
  private final StringBuilder text = new StringBuilder();

  private Json(Budget budget, Layout layout) {
    this.budget = budget;
    this.layout = layout;
  }

  public static String of(Budget budget, Object value, Layout layout) {
    Json json = new Json(budget, layout);
    json.value(value, 0);
    budget.text(json.text.length());
    return json.text.toString();
  }

  private void value(Object value, int depth) {
    if (depth > MAX_DEPTH) {
      throw TemplateException.limit("tojson is given what is nested too deep");
    }
    budget.step();
    if (value == null) {
      text.append("null");
    } else if (value instanceof Boolean || value instanceof Long) {
      text.append(value);
    } else if (value instanceof String || value instanceof Markup) {
      string(Repr.str(value));
    } else if (value instanceof Double number) {
      text.append(real(number));
    } else if (value instanceof BigInteger number) {
      text.append(NumberTexts.of(number));
    } else if (value instanceof Map<?, ?> map) {
      map(map, depth);
    } else if (value instanceof List<?> list) {
      list(list, depth);
    } else if (value instanceof Tuple tuple) {
      list(tuple.items(), depth);
    } else {
      throw TemplateException.type(
          "Object of type " + Values.typeName(value) + " is not JSON serializable");
    }
    if (text.length() > Budget.MAX_TEXT) {
      budget.text(text.length());
    }
  }

  private static String real(double number) {
    if (Double.isNaN(number)) {
      return "NaN";
    }
    if (Double.isInfinite(number)) {
      return number > 0 ? "Infinity" : "-Infinity";
    }
    return NumberTexts.of(number);
  }

  private void list(List<?> list, int depth) {
    if (list.isEmpty()) {
      text.append("[]");
      return;
    }
    text.append('[');
    Iterator<?> items = list.iterator();
    while (items.hasNext()) {
      line(depth + 1);
      value(items.next(), depth + 1);
      text.append(items.hasNext() ? layout.itemSeparator() : "");
    }
    line(depth);
    text.append(']');
  }

  private void map(Map<?, ?> map, int depth) {
    if (map.isEmpty()) {
      text.append("{}");
      return;
    }
    text.append('{');
    Iterator<Object> keys = keys(map).iterator();
    while (keys.hasNext()) {
      Object key = keys.next();
      line(depth + 1);
      string(name(key));
      text.append(layout.keySeparator());
      value(Dict.find(map, key), depth + 1);
      text.append(keys.hasNext() ? layout.itemSeparator() : "");
    }
    line(depth);
    text.append('}');
  }

  private List<Object> keys(Map<?, ?> map) {
    List<Object> keys = new ArrayList<>(map.keySet());
    return layout.sorted() ? Ordering.sorted(budget, keys, key -> key, false) : keys;
  }

  private static String name(Object key) {
    if (Values.isText(key)) {
      return Repr.str(key);
    }
    if (key == null) {
      return "null";
    }
    if (key instanceof Double number) {
      return real(number);
    }
    if (key instanceof Boolean truth) {
      return truth.toString();
    }
    if (key instanceof Long || key instanceof BigInteger) {
      return Repr.of(key);
    }
    throw TemplateException.type(
        "keys must be str, int, float, bool or None, not " + Values.typeName(key));
  }

  private void line(int depth) {
    if (layout.indent() != null) {
      text.append('\n').append(Texts.repeat(budget, layout.indent(), depth));
    }
  }

  private void string(String value) {
    text.append('"');
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '"' -> text.append("\\\"");
        case '\\' -> text.append("\\\\");
        case '\n' -> text.append("\\n");
        case '\r' -> text.append("\\r");
        case '\t' -> text.append("\\t");
        case '\f' -> text.append("\\f");
        case '\b' -> text.append("\\b");
        default -> {
          if (c < 0x20 || (layout.ascii() && c > 0x7e)) {
            hexadecimal(c);
          } else {
            text.append(c);
          }
        }
      }
    }
    text.append('"');
  }

  private void hexadecimal(char c) {
    text.append("\\u");
    for (int shift = 12; shift >= 0; shift -= 4) {
      text.append(Character.forDigit(c >> shift & 15, 16));
    }
  }
}
