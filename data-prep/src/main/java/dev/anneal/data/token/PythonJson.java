package dev.anneal.data.token;

import java.math.BigDecimal;
import java.util.Collection;
import java.util.Iterator;
import java.util.Map;

/** JSON as Python's {@code json.dumps(value, ensure_ascii=False, indent=indent)} writes it. */
final class PythonJson {
  private static final int NO_INDENT = -1;

  private final StringBuilder out = new StringBuilder();
  private final int indent;

  private PythonJson(int indent) {
    this.indent = indent;
  }

  static String dumps(Object value) {
    return dumps(value, NO_INDENT);
  }

  /** Each element on a line of its own, {@code indent} blanks a level. */
  static String dumps(Object value, int indent) {
    PythonJson json = new PythonJson(indent);
    json.write(value, 0);
    return json.out.toString();
  }

  private void write(Object value, int level) {
    if (value instanceof Map<?, ?> map) {
      writeMap(map, level);
    } else if (value instanceof Collection<?> list) {
      writeList(list, level);
    } else if (value == null || value instanceof Boolean) {
      out.append(value);
    } else if (value instanceof Double || value instanceof Float) {
      out.append(repr(((Number) value).doubleValue()));
    } else if (value instanceof Number number) {
      out.append(number);
    } else {
      writeText(value.toString());
    }
  }

  private void writeMap(Map<?, ?> map, int level) {
    out.append('{');
    Iterator<? extends Map.Entry<?, ?>> entries = map.entrySet().iterator();
    while (entries.hasNext()) {
      Map.Entry<?, ?> entry = entries.next();
      newLine(level + 1);
      writeText(String.valueOf(entry.getKey()));
      out.append(": ");
      write(entry.getValue(), level + 1);
      separate(entries);
    }
    close('}', map.isEmpty(), level);
  }

  private void writeList(Collection<?> list, int level) {
    out.append('[');
    Iterator<?> elements = list.iterator();
    while (elements.hasNext()) {
      newLine(level + 1);
      write(elements.next(), level + 1);
      separate(elements);
    }
    close(']', list.isEmpty(), level);
  }

  private void separate(Iterator<?> rest) {
    if (rest.hasNext()) {
      out.append(indent == NO_INDENT ? ", " : ",");
    }
  }

  private void close(char bracket, boolean empty, int level) {
    if (!empty) {
      newLine(level);
    }
    out.append(bracket);
  }

  private void newLine(int level) {
    if (indent != NO_INDENT) {
      out.append('\n').append(" ".repeat(indent * level));
    }
  }

  private void writeText(String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> out.append("\\\"");
        case '\\' -> out.append("\\\\");
        case '\n' -> out.append("\\n");
        case '\r' -> out.append("\\r");
        case '\t' -> out.append("\\t");
        case '\b' -> out.append("\\b");
        case '\f' -> out.append("\\f");
        default -> out.append(c < ' ' ? "\\u%04x".formatted((int) c) : String.valueOf(c));
      }
    }
    out.append('"');
  }

  // Python writes exponents below -4 and from 16 on, with two digits at least.
  private static String repr(double value) {
    if (Double.isNaN(value) || Double.isInfinite(value)) {
      return Double.toString(value);
    }
    BigDecimal decimal = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    int exponent = decimal.precision() - decimal.scale() - 1;
    if (value == 0 || (exponent >= -4 && exponent < 16)) {
      String plain = decimal.toPlainString();
      String signed = 1 / value == Double.NEGATIVE_INFINITY ? "-" + plain : plain;
      return plain.contains(".") ? signed : signed + ".0";
    }
    String digits = decimal.unscaledValue().abs().toString();
    String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
    return "%s%s%se%s%02d"
        .formatted(
            value < 0 ? "-" : "",
            digits.charAt(0),
            fraction,
            exponent < 0 ? "-" : "+",
            Math.abs(exponent));
  }
}
