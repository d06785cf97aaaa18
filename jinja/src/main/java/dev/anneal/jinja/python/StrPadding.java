package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;

/** Methods that fill a text up. */
public final class StrPadding {
  private StrPadding() {}

  static String call(Budget budget, String text, String name, Arguments arguments) {
    arguments.require(name, 1, name.equals("zfill") ? 1 : 2);
    int width = Numbers.size(arguments.get(0));
    if (name.equals("zfill")) {
      return zeroFilled(budget, text, width);
    }
    String fill = arguments.size() == 2 ? StrMethods.text(name, arguments.get(1)) : " ";
    if (Texts.length(fill) != 1) {
      throw TemplateException.type("The fill character must be exactly one character long");
    }
    return switch (name) {
      case "center" -> center(budget, text, width, fill);
      case "ljust" -> padded(budget, text, 0, width - (long) Texts.length(text), fill);
      default -> padded(budget, text, width - (long) Texts.length(text), 0, fill);
    };
  }

  /** In the middle of that many characters. */
  public static String center(Budget budget, String text, int width, String fill) {
    long more = width - (long) Texts.length(text);
    if (more <= 0) {
      return text;
    }
    // CPython's rule where the odd one goes
    long left = more / 2 + (more & width & 1);
    return padded(budget, text, left, more - left, fill);
  }

  private static String padded(Budget budget, String text, long left, long right, String fill) {
    return Texts.repeat(budget, fill, left) + text + Texts.repeat(budget, fill, right);
  }

  private static String zeroFilled(Budget budget, String text, int width) {
    String zeros = Texts.repeat(budget, "0", width - (long) Texts.length(text));
    boolean signed = text.startsWith("-") || text.startsWith("+");
    return signed ? text.charAt(0) + zeros + text.substring(1) : zeros + text;
  }

  static String expandTabs(Budget budget, String text, int size) {
    StringBuilder result = new StringBuilder(text.length());
    int column = 0;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      i += Character.charCount(c);
      if (c == '\t') {
        if (size > 0) {
          int more = size - column % size;
          result.append(Texts.repeat(budget, " ", more));
          column += more;
        }
      } else {
        result.appendCodePoint(c);
        column = c == '\n' || c == '\r' ? 0 : column + 1;
      }
    }
    return result.toString();
  }
}
