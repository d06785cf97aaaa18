package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;

/** Methods that look for a text in another, within bounds. */
final class StrSearch {
  private StrSearch() {}

  static Object call(String text, String name, Arguments arguments) {
    arguments.require(name, 1, 3);
    int size = Texts.length(text);
    int start = optionalBound(arguments, 1, 0, size);
    int end = Math.min(size, optionalBound(arguments, 2, size, size));
    Object sought = arguments.get(0);
    boolean starts = name.equals("startswith");
    if (starts || name.equals("endswith")) {
      return matches(text, sought, start, end, starts);
    }
    String part = StrMethods.text(name, sought);
    boolean inside = start <= end;
    String window = inside ? Texts.part(text, start, end) : "";
    if (name.equals("count")) {
      return inside ? count(window, part) : 0L;
    }
    int place =
        !inside ? -1 : name.startsWith("r") ? window.lastIndexOf(part) : window.indexOf(part);
    if (place < 0 && name.endsWith("index")) {
      throw TemplateException.value("substring not found");
    }
    return place < 0 ? -1L : (long) start + window.codePointCount(0, place);
  }

  // a bound may be None; a start behind the end stays there
  private static int optionalBound(Arguments arguments, int place, int absent, int size) {
    if (arguments.size() <= place || arguments.get(place) == null) {
      return absent;
    }
    if (!Values.isInteger(arguments.get(place))) {
      throw TemplateException.type("slice indices must be integers or None");
    }
    int index = Numbers.size(arguments.get(place));
    return Math.max(0, index < 0 ? index + size : index);
  }

  private static boolean matches(String text, Object sought, int start, int end, boolean atStart) {
    if (sought instanceof Tuple tuple) {
      boolean found = false;
      for (Object item : tuple) {
        if (!Values.isText(item)) {
          throw TemplateException.type(
              "tuple for startswith or endswith must only contain str, not "
                  + Values.typeName(item));
        }
        found |= matches(text, item, start, end, atStart);
        if (found) {
          return true;
        }
      }
      return false;
    }
    if (!Values.isText(sought)) {
      throw TemplateException.type(
          "startswith or endswith first arg must be str or a tuple of str, not "
              + Values.typeName(sought));
    }
    if (start > end) {
      return false;
    }
    String window = start == 0 && end == Texts.length(text) ? text : Texts.part(text, start, end);
    String part = Repr.str(sought);
    return atStart ? window.startsWith(part) : window.endsWith(part);
  }

  private static long count(String text, String part) {
    if (part.isEmpty()) {
      return Texts.length(text) + 1L;
    }
    long count = 0;
    for (int i = text.indexOf(part); i >= 0; i = text.indexOf(part, i + part.length())) {
      count++;
    }
    return count;
  }
}
