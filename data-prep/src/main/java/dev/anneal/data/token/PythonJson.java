package dev.anneal.data.token;

import java.math.BigDecimal;
import java.util.Collection;
import java.util.Iterator;
import java.util.Map;

/** Values as Python writes them: as JSON, or as it prints them. */
final class PythonJson {
  private static final int NO_INDENT = -1;
  private static final int MAX_LEVEL = 500;

  private final StringBuilder out = new StringBuilder();
  private final Notation notation;
  private final int indent;

  private enum Notation {
    JSON,
    REPR
  }

  private PythonJson(Notation notation, int indent) {
    this.notation = notation;
    this.indent = indent;
  }

  /** {@code json.dumps(value, ensure_ascii=False)}. */
  static String dumps(Object value) {
    return dumps(value, NO_INDENT);
  }

  /** The same with each element on a line of its own, {@code indent} blanks a level. */
  static String dumps(Object value, int indent) {
    return written(value, Notation.JSON, indent);
  }

  /** {@code repr(value)}. */
  static String repr(Object value) {
    return written(value, Notation.REPR, NO_INDENT);
  }

  private static String written(Object value, Notation notation, int indent) {
    PythonJson json = new PythonJson(notation, indent);
    json.write(value, 0);
    return json.out.toString();
  }

  private void write(Object value, int level) {
    if (out.length() > RenderLimits.MAX_TEXT || level > MAX_LEVEL) {
      throw new IllegalArgumentException("what it writes is too long or nested too deep");
    }
    if (value instanceof Map<?, ?> map) {
      writeMap(map, level);
    } else if (value instanceof Collection<?> list) {
      writeList(list, level);
    } else if (value == null || value instanceof Boolean) {
      out.append(notation == Notation.JSON ? String.valueOf(value) : constant(value));
    } else if (value instanceof Double || value instanceof Float) {
      out.append(number(((Number) value).doubleValue()));
    } else if (value instanceof Number number) {
      out.append(number);
    } else {
      writeText(value.toString());
    }
  }

  private static String constant(Object value) {
    return value == null ? "None" : Boolean.TRUE.equals(value) ? "True" : "False";
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
    if (notation == Notation.REPR) {
      writeRepr(text);
      return;
    }
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

  private void writeRepr(String text) {
    char quote = text.contains("'") && !text.contains("\"") ? '"' : '\'';
    out.append(quote);
    text.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                  if (c == quote) {
                    out.append('\\').append(quote);
                  } else if (isPrintable(c)) {
                    out.appendCodePoint(c);
                  } else {
                    out.append(c < 0x100 ? "\\x%02x".formatted(c) : "\\u%04x".formatted(c));
                  }
                }
              }
            });
    out.append(quote);
  }

  private static boolean isPrintable(int c) {
    return c == ' '
        || switch (Character.getType(c)) {
          case Character.CONTROL,
              Character.FORMAT,
              Character.SURROGATE,
              Character.PRIVATE_USE,
              Character.UNASSIGNED,
              Character.LINE_SEPARATOR,
              Character.PARAGRAPH_SEPARATOR,
              Character.SPACE_SEPARATOR ->
              false;
          default -> true;
        };
  }

  // Python writes exponents below -4 and from 16 on, with two digits at least.
  private static String number(double value) {
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
