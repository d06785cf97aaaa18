package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.Map;

/**
 * {@code "{}".format(...)} by {@code string.Formatter}, whose attributes and elements the sandbox
 * gives out.
 */
final class StrFormat {
  /** Replacement fields in format specifications. */
  private static final int MAX_DEPTH = 2;

  private final Budget budget;
  private final Arguments arguments;
  private final Map<?, ?> named;
  private final boolean escapes;
  // the next number of a field without one; -1 once a field has one of its own
  private int automatic;
  private boolean numbered;

  private StrFormat(Budget budget, Arguments arguments, Map<?, ?> named, boolean escapes) {
    this.budget = budget;
    this.arguments = arguments;
    this.named = named;
    this.escapes = escapes;
  }

  static String format(Budget budget, String text, Arguments arguments) {
    return new StrFormat(budget, arguments, arguments.named(), false).format(text, MAX_DEPTH);
  }

  static String formatMap(Budget budget, String text, Object values) {
    return new StrFormat(budget, Arguments.NONE, map(values), false).format(text, MAX_DEPTH);
  }

  /** The same for markup, which escapes what is put into it. */
  static String escaped(Budget budget, String text, String method, Arguments arguments) {
    boolean ofMap = method.equals("format_map");
    Map<?, ?> named = ofMap ? map(arguments.require(method, 1, 1).get(0)) : arguments.named();
    return new StrFormat(budget, ofMap ? Arguments.NONE : arguments, named, true)
        .format(text, MAX_DEPTH);
  }

  private static Map<?, ?> map(Object values) {
    // anything will do for a text without names
    return values instanceof Map<?, ?> map ? map : Map.of();
  }

  private String format(String text, int depth) {
    if (depth < 0) {
      throw TemplateException.value("Max string recursion exceeded");
    }
    StringBuilder result = new StringBuilder();
    int i = 0;
    while (i < text.length()) {
      char c = text.charAt(i);
      boolean doubled = i + 1 < text.length() && text.charAt(i + 1) == c;
      if (c == '{' && !doubled) {
        int end = endOfField(text, i + 1);
        result.append(field(text.substring(i + 1, end), depth));
        i = end + 1;
        budget.text(0);
        if (result.length() > Budget.MAX_TEXT) {
          budget.text(result.length());
        }
      } else if ((c == '{' || c == '}') && doubled) {
        result.append(c);
        i += 2;
      } else if (c == '}') {
        throw TemplateException.value("Single '}' encountered in format string");
      } else {
        result.append(c);
        i++;
      }
    }
    budget.text(result.length());
    return result.toString();
  }

  private static int endOfField(String text, int start) {
    if (start >= text.length()) {
      throw TemplateException.value("Single '{' encountered in format string");
    }
    int open = 1;
    boolean inBrackets = false;
    boolean inName = true;
    for (int i = start; i < text.length(); i++) {
      char c = text.charAt(i);
      if (inBrackets) {
        inBrackets = c != ']';
        continue;
      }
      switch (c) {
        case '[' -> inBrackets = inName;
        case ':', '!' -> inName = false;
        case '{' -> open++;
        case '}' -> {
          if (--open == 0) {
            return i;
          }
        }
        default -> {}
      }
    }
    throw TemplateException.value("expected '}' before end of string");
  }

  private String field(String field, int depth) {
    int nameEnd = endOfName(field);
    String name = field.substring(0, nameEnd);
    if (name.indexOf('{') >= 0) {
      throw TemplateException.value("unexpected '{' in field name");
    }
    char conversion = 0;
    int at = nameEnd;
    if (at < field.length() && field.charAt(at) == '!') {
      if (at + 1 >= field.length()) {
        throw TemplateException.value("end of string while looking for conversion specifier");
      }
      conversion = field.charAt(at + 1);
      at += 2;
      if (at < field.length() && field.charAt(at) != ':') {
        throw TemplateException.value("expected ':' after conversion specifier");
      }
    }
    String spec = at < field.length() ? field.substring(at + 1) : "";
    Object value = converted(value(name), conversion);
    String formatted = format(spec, depth - 1);
    if (!escapes) {
      return FormatSpec.format(budget, value, formatted);
    }
    if (value instanceof Markup markup) {
      if (!formatted.isEmpty()) {
        throw TemplateException.value("Unsupported format specification for Markup.");
      }
      return markup.text();
    }
    return Markup.escape(FormatSpec.format(budget, value, formatted)).text();
  }

  private static int endOfName(String field) {
    boolean inBrackets = false;
    for (int i = 0; i < field.length(); i++) {
      char c = field.charAt(i);
      if (c == '[') {
        inBrackets = true;
      } else if (c == ']') {
        inBrackets = false;
      } else if (!inBrackets && (c == ':' || c == '!')) {
        return i;
      }
    }
    return field.length();
  }

  private static Object converted(Object value, char conversion) {
    return switch (conversion) {
      case 0 -> value;
      case 's' -> Repr.str(value);
      case 'r' -> Repr.of(value);
      case 'a' -> Repr.ascii(value);
      default -> throw TemplateException.value("Unknown conversion specifier '" + conversion + "'");
    };
  }

  private Object value(String name) {
    int end = 0;
    while (end < name.length() && name.charAt(end) != '.' && name.charAt(end) != '[') {
      end++;
    }
    Object value = first(name.substring(0, end), end == name.length());
    int i = end;
    while (i < name.length()) {
      if (name.charAt(i) == '.') {
        int start = ++i;
        while (i < name.length() && name.charAt(i) != '.' && name.charAt(i) != '[') {
          i++;
        }
        requireName(start, i);
        value = Attributes.get(value, name.substring(start, i));
      } else if (name.charAt(i) == '[') {
        int close = name.indexOf(']', i);
        if (close < 0) {
          throw TemplateException.value("Missing ']' in format string");
        }
        requireName(i + 1, close);
        value = Attributes.item(value, key(name.substring(i + 1, close)));
        i = close + 1;
      } else {
        throw TemplateException.value("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return value;
  }

  private static void requireName(int start, int end) {
    if (start == end) {
      throw TemplateException.value("Empty attribute in format string");
    }
  }

  private static Object key(String text) {
    boolean number = !text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9');
    return number ? NumberTexts.integer(text, 10) : text;
  }

  /** The argument that a field begins with; only whole names count as numbers. */
  private Object first(String name, boolean whole) {
    Object key = key(name);
    if (name.isEmpty() && whole) {
      if (numbered) {
        throw TemplateException.value(
            "cannot switch from manual field specification to automatic field numbering");
      }
      key = (long) automatic++;
    } else if (key instanceof Long && whole) {
      if (automatic > 0) {
        throw TemplateException.value(
            "cannot switch from automatic field numbering to manual field specification");
      }
      numbered = true;
    }
    if (key instanceof Long index) {
      if (index >= arguments.size()) {
        throw TemplateException.lookup("there is no argument " + index + " to format");
      }
      return arguments.get(index.intValue());
    }
    Object value = Dict.find(named, key);
    if (value == Attributes.ABSENT) {
      throw TemplateException.lookup("there is no argument " + Repr.of(key) + " to format");
    }
    return value;
  }
}
