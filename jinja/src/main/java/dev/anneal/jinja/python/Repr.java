package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.math.BigInteger;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Python's {@code str} and {@code repr}. */
public final class Repr {
  /** Containers in each other. */
  private static final int MAX_DEPTH = 500;

  private Repr() {}

  /** What is printed. */
  public static String str(Object value) {
    if (value instanceof String text) {
      return text;
    }
    if (value instanceof Undefined) {
      return "";
    }
    return value instanceof Markup markup ? markup.text() : of(value);
  }

  /** What is printed of it within a list. */
  public static String of(Object value) {
    if (value == null) {
      return "None";
    }
    if (value instanceof Boolean truth) {
      return truth ? "True" : "False";
    }
    if (value instanceof Long) {
      return value.toString();
    }
    StringBuilder text = new StringBuilder();
    append(value, text, 0);
    return text.toString();
  }

  private static void append(Object value, StringBuilder text, int depth) {
    if (depth > MAX_DEPTH) {
      throw TemplateException.limit("it prints what is nested too deep");
    }
    if (value instanceof String string) {
      quote(string, text);
    } else if (value instanceof Double number) {
      text.append(NumberTexts.of(number));
    } else if (value instanceof BigInteger number) {
      text.append(NumberTexts.of(number));
    } else if (value instanceof List<?> list) {
      items(list.iterator(), "[", "]", text, depth);
    } else if (value instanceof Tuple tuple) {
      items(tuple.iterator(), "(", tuple.size() == 1 ? ",)" : ")", text, depth);
    } else if (value instanceof Map<?, ?> map) {
      entries(map, text, depth);
    } else if (value instanceof Markup markup) {
      text.append("Markup(");
      quote(markup.text(), text);
      text.append(')');
    } else if (value instanceof Undefined) {
      text.append("Undefined");
    } else if (value instanceof DictView view) {
      text.append(Values.typeName(view));
      items(view.iterator(), "([", "])", text, depth);
    } else if (value instanceof PythonSet set) {
      boolean empty = set.size() == 0;
      items(set.iterator(), empty ? "set(" : "{", empty ? ")" : "}", text, depth);
    } else if (value instanceof Range range) {
      text.append("range(").append(range.start()).append(", ").append(range.stop());
      text.append(range.step() == 1 ? "" : ", " + range.step()).append(')');
    } else if (value == null || value instanceof Boolean || value instanceof Long) {
      text.append(of(value));
    } else if (value instanceof Printed printed) {
      text.append(printed.printed());
    } else {
      throw TemplateException.unsupported(
          "Python prints a "
              + Values.typeName(value)
              + " with the place where it lies in memory, which is another one each time");
    }
  }

  private static void items(
      Iterator<?> items, String open, String close, StringBuilder text, int depth) {
    text.append(open);
    while (items.hasNext()) {
      append(items.next(), text, depth + 1);
      if (items.hasNext()) {
        text.append(", ");
      }
    }
    text.append(close);
  }

  private static void entries(Map<?, ?> map, StringBuilder text, int depth) {
    text.append('{');
    String separator = "";
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      text.append(separator);
      append(entry.getKey(), text, depth + 1);
      text.append(": ");
      append(entry.getValue(), text, depth + 1);
      separator = ", ";
    }
    text.append('}');
  }

  private static void quote(String string, StringBuilder text) {
    char quote = string.indexOf('\'') >= 0 && string.indexOf('"') < 0 ? '"' : '\'';
    text.append(quote);
    for (int i = 0; i < string.length(); ) {
      int c = string.codePointAt(i);
      i += Character.charCount(c);
      switch (c) {
        case '\n' -> text.append("\\n");
        case '\r' -> text.append("\\r");
        case '\t' -> text.append("\\t");
        case '\\' -> text.append("\\\\");
        default -> {
          if (c == quote) {
            text.append('\\').append(quote);
          } else if (Characters.isPrintable(c)) {
            text.appendCodePoint(c);
          } else {
            text.append(Characters.escape(c));
          }
        }
      }
    }
    text.append(quote);
  }

  /** Python's {@code ascii}: a {@code repr} without what is not ASCII. */
  static String ascii(Object value) {
    String repr = of(value);
    StringBuilder text = new StringBuilder(repr.length());
    repr.codePoints()
        .forEach(
            c -> {
              if (c < 128) {
                text.append((char) c);
              } else {
                text.append(Characters.escape(c));
              }
            });
    return text.toString();
  }
}
