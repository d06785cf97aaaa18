package dev.anneal.jinja.syntax;

import java.util.Locale;

/** The escapes of a text in a template, as Python's codec {@code unicode-escape} reads them. */
final class StringLiteral {
  private StringLiteral() {}

  /**
   * The text that is meant.
   *
   * @param source what stands between the quotes
   * @throws IllegalArgumentException if an escape is broken
   */
  static String value(String source) {
    int next = source.indexOf('\\');
    if (next < 0) {
      return source;
    }
    StringBuilder text = new StringBuilder(source.length());
    int from = 0;
    while (next >= 0) {
      text.append(source, from, next);
      from = escape(source, next + 1, text);
      next = source.indexOf('\\', from);
    }
    return text.append(source, from, source.length()).toString();
  }

  /** Appends what the escape at the place stands for and returns the place behind it. */
  private static int escape(String source, int at, StringBuilder text) {
    int c = source.codePointAt(at);
    switch (c) {
      case '\n' -> {}
      case '\\', '\'', '"' -> text.append((char) c);
      case 'a' -> text.append('\u0007');
      case 'b' -> text.append('\b');
      case 'f' -> text.append('\f');
      case 'n' -> text.append('\n');
      case 'r' -> text.append('\r');
      case 't' -> text.append('\t');
      case 'v' -> text.append('\u000b');
      case 'x' -> {
        return hexadecimal(source, at + 1, 2, text);
      }
      case 'u' -> {
        return hexadecimal(source, at + 1, 4, text);
      }
      case 'U' -> {
        return hexadecimal(source, at + 1, 8, text);
      }
      case 'N' -> {
        return named(source, at + 1, text);
      }
      case '0', '1', '2', '3', '4', '5', '6', '7' -> {
        return octal(source, at, text);
      }
      default -> {
        text.append('\\');
        if (c < 128) {
          text.append((char) c);
        } else {
          // Jinja writes what is not ASCII as an escape, which the backslash before it makes a text
          text.append(
              c < 0x100
                  ? String.format(Locale.ROOT, "x%02x", c)
                  : c < 0x10000
                      ? String.format(Locale.ROOT, "u%04x", c)
                      : String.format(Locale.ROOT, "U%08x", c));
        }
        return at + Character.charCount(c);
      }
    }
    return at + 1;
  }

  private static int hexadecimal(String source, int at, int digits, StringBuilder text) {
    int value = 0;
    for (int i = at; i < at + digits; i++) {
      int digit = i < source.length() ? Character.digit(source.charAt(i), 16) : -1;
      if (digit < 0 || source.charAt(i) > 127) {
        throw new IllegalArgumentException(
            "an escape of " + digits + " hexadecimal digits breaks off");
      }
      value = value << 4 | digit;
    }
    if (value < 0 || value > Character.MAX_CODE_POINT) {
      throw new IllegalArgumentException("illegal Unicode character");
    }
    text.appendCodePoint(value);
    return at + digits;
  }

  private static int octal(String source, int at, StringBuilder text) {
    int value = 0;
    int i = at;
    while (i < at + 3
        && i < source.length()
        && source.charAt(i) >= '0'
        && source.charAt(i) <= '7') {
      value = value * 8 + source.charAt(i++) - '0';
    }
    text.append((char) value);
    return i;
  }

  private static int named(String source, int at, StringBuilder text) {
    int end = source.indexOf('}', at);
    if (end < 0 || source.charAt(at) != '{') {
      throw new IllegalArgumentException("malformed \\N character escape");
    }
    text.appendCodePoint(Character.codePointOf(source.substring(at + 1, end)));
    return end + 1;
  }
}
