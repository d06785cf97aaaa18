package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Group;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Ordering;
import dev.anneal.jinja.python.PythonSet;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Texts;
import dev.anneal.jinja.python.Tuple;
import dev.anneal.jinja.python.Values;
import dev.anneal.jinja.syntax.Whitespace;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * Python's {@code pprint.pformat}: mappings in the order of their keys, and what has no place in a
 * line of 80 characters in several lines.
 */
final class PrettyPrint {
  private static final int WIDTH = 80;

  private final Budget budget;
  private final StringBuilder result = new StringBuilder();

  private PrettyPrint(Budget budget) {
    this.budget = budget;
  }

  static String of(Budget budget, Object value) {
    PrettyPrint print = new PrettyPrint(budget);
    print.format(value, 0, 0, 0);
    return print.result.toString();
  }

  /** Writes a value from a column on, so that so many characters have room behind it. */
  private void format(Object value, int indent, int allowance, int level) {
    budget.enter();
    String line = line(value);
    if (Texts.length(line) <= WIDTH - indent - allowance) {
      result.append(line);
    } else if (value instanceof Map<?, ?> map) {
      entries(map, indent, allowance + 1, level + 1);
    } else if (value instanceof List<?> list) {
      items("[", list, "]", indent, allowance, level + 1);
    } else if (isPlain(value)) {
      List<Object> items = ((Tuple) value).items();
      items("(", items, items.size() == 1 ? ",)" : ")", indent, allowance, level + 1);
    } else if (value instanceof PythonSet set) {
      items("{", Iteration.list(budget, set), "}", indent, allowance, level + 1);
    } else if (value instanceof String text && !text.isEmpty()) {
      text(text, line, indent, allowance, level + 1);
    } else {
      result.append(line);
    }
    budget.leave();
  }

  private static boolean isPlain(Object value) {
    return value instanceof Tuple && !(value instanceof Group);
  }

  /** What is printed of a value within one line. */
  private String line(Object value) {
    StringBuilder line = new StringBuilder();
    line(value, line);
    budget.text(line.length());
    return line.toString();
  }

  private void line(Object value, StringBuilder line) {
    budget.enter();
    if (value instanceof Map<?, ?> map) {
      String separator = "{";
      for (Map.Entry<?, ?> entry : sorted(map)) {
        line.append(separator);
        line(entry.getKey(), line);
        line.append(": ");
        line(entry.getValue(), line);
        separator = ", ";
      }
      line.append(map.isEmpty() ? "{}" : "}");
    } else if (value instanceof List<?> list) {
      line("[", list, "]", line);
    } else if (isPlain(value)) {
      List<Object> items = ((Tuple) value).items();
      line("(", items, items.size() == 1 ? ",)" : ")", line);
    } else {
      line.append(Repr.of(value));
    }
    budget.leave();
  }

  private void line(String open, List<?> items, String close, StringBuilder line) {
    String separator = open;
    for (Object item : items) {
      line.append(separator);
      line(item, line);
      separator = ", ";
    }
    line.append(items.isEmpty() ? open : "").append(close);
  }

  private void items(
      String open, List<?> items, String close, int indent, int allowance, int level) {
    result.append(open);
    Iterator<?> iterator = items.iterator();
    while (iterator.hasNext()) {
      Object item = iterator.next();
      boolean last = !iterator.hasNext();
      format(item, indent + 1, last ? allowance + close.length() : 1, level);
      if (!last) {
        newLine(",", indent + 1);
      }
    }
    result.append(close);
  }

  private void entries(Map<?, ?> map, int indent, int allowance, int level) {
    result.append('{');
    Iterator<? extends Map.Entry<?, ?>> entries = sorted(map).iterator();
    while (entries.hasNext()) {
      Map.Entry<?, ?> entry = entries.next();
      boolean last = !entries.hasNext();
      String key = line(entry.getKey());
      result.append(key).append(": ");
      format(entry.getValue(), indent + Texts.length(key) + 3, last ? allowance : 1, level);
      if (!last) {
        newLine(",", indent + 1);
      }
    }
    result.append('}');
  }

  private void newLine(String end, int indent) {
    budget.text((long) end.length() + indent);
    result.append(end).append('\n').append(" ".repeat(indent));
  }

  private List<? extends Map.Entry<?, ?>> sorted(Map<?, ?> map) {
    List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
    entries.sort((a, b) -> compare(a.getKey(), b.getKey()));
    return entries;
  }

  /** Keys that cannot be compared stand in the order of the names of their classes. */
  private static int compare(Object a, Object b) {
    try {
      return Ordering.less(a, b) ? -1 : Ordering.less(b, a) ? 1 : 0;
    } catch (TemplateException e) {
      int order = className(a).compareTo(className(b));
      if (order == 0) {
        throw TemplateException.unsupported(
            "pprint puts keys that cannot be compared in the order of their places in memory");
      }
      return order;
    }
  }

  private static String className(Object value) {
    return Values.isText(value) && !(value instanceof String)
        ? "markupsafe.Markup"
        : Values.typeName(value);
  }

  /** A text in parts, each as long as there is room for. */
  private void text(String text, String line, int column, int room, int level) {
    boolean outermost = level == 1;
    int indent = outermost ? column + 1 : column;
    int allowance = outermost ? room + 1 : room;
    List<String> parts = parts(text, WIDTH - indent, allowance);
    if (parts.size() == 1) {
      result.append(line);
      return;
    }
    result.append(outermost ? "(" : "");
    for (int i = 0; i < parts.size(); i++) {
      if (i > 0) {
        newLine("", indent);
      }
      result.append(parts.get(i));
    }
    result.append(outermost ? ")" : "");
  }

  private List<String> parts(String text, int width, int allowance) {
    List<String> parts = new ArrayList<>();
    List<Object> lines = Texts.lines(text, true);
    for (int i = 0; i < lines.size(); i++) {
      String whole = Repr.of(lines.get(i));
      int behind = i == lines.size() - 1 ? allowance : 0;
      if (Texts.length(whole) <= width - behind) {
        parts.add(whole);
      } else {
        addWords((String) lines.get(i), width, behind, parts);
      }
    }
    return parts;
  }

  private void addWords(String line, int width, int allowance, List<String> parts) {
    String current = "";
    for (int start = 0; start < line.length(); ) {
      int end = endOfWord(line, start);
      String candidate = current + line.substring(start, end);
      budget.text(candidate.length());
      int room = end == line.length() ? width - allowance : width;
      if (Texts.length(Repr.of(candidate)) > room) {
        if (!current.isEmpty()) {
          parts.add(Repr.of(current));
        }
        current = line.substring(start, end);
      } else {
        current = candidate;
      }
      start = end;
    }
    parts.add(Repr.of(current));
  }

  /** Behind the blanks that follow the word. */
  private static int endOfWord(String line, int start) {
    int end = start;
    while (end < line.length() && !Whitespace.is(line.charAt(end))) {
      end++;
    }
    while (end < line.length() && Whitespace.is(line.charAt(end))) {
      end++;
    }
    return end;
  }
}
