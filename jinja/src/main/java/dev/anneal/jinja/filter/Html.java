package dev.anneal.jinja.filter;

import dev.anneal.jinja.python.Texts;
import dev.anneal.jinja.syntax.Whitespace;
import java.util.Map;

/** Texts out of HTML. */
final class Html {
  /** The names of characters that occur outside of mathematics. */
  private static final Map<String, String> NAMES =
      Map.ofEntries(
          Map.entry("amp", "&"),
          Map.entry("lt", "<"),
          Map.entry("gt", ">"),
          Map.entry("quot", "\""),
          Map.entry("apos", "'"),
          Map.entry("nbsp", "\u00a0"),
          Map.entry("copy", "©"),
          Map.entry("reg", "®"),
          Map.entry("trade", "™"),
          Map.entry("laquo", "«"),
          Map.entry("raquo", "»"),
          Map.entry("hellip", "…"),
          Map.entry("ndash", "–"),
          Map.entry("mdash", "—"),
          Map.entry("lsquo", "‘"),
          Map.entry("rsquo", "’"),
          Map.entry("ldquo", "“"),
          Map.entry("rdquo", "”"),
          Map.entry("bull", "•"),
          Map.entry("middot", "·"),
          Map.entry("euro", "€"),
          Map.entry("pound", "£"),
          Map.entry("deg", "°"),
          Map.entry("times", "×"));

  private Html() {}

  /** Without tags and comments, with single blanks, markupsafe's {@code striptags}. */
  static String withoutTags(String text) {
    StringBuilder parts = new StringBuilder();
    int from = 0;
    for (int start = text.indexOf('<'); start >= 0; start = text.indexOf('<', from)) {
      boolean comment = text.startsWith("<!--", start);
      int end = comment ? text.indexOf("-->", start + 4) : text.indexOf('>', start);
      if (end < 0) {
        break;
      }
      parts.append(text, from, start);
      from = end + (comment ? 3 : 1);
    }
    return unescaped(withSingleBlanks(parts.append(text.substring(from)).toString()));
  }

  private static String withSingleBlanks(String text) {
    StringBuilder result = new StringBuilder(text.length());
    String stripped = Texts.strip(text, null);
    boolean blank = false;
    for (int i = 0; i < stripped.length(); i++) {
      char c = stripped.charAt(i);
      boolean isBlank = Whitespace.is(c);
      if (!isBlank) {
        result.append(blank ? " " : "").append(c);
      }
      blank = isBlank;
    }
    return result.toString();
  }

  private static String unescaped(String text) {
    StringBuilder result = new StringBuilder(text.length());
    int from = 0;
    for (int i = text.indexOf('&'); i >= 0; i = text.indexOf('&', from)) {
      result.append(text, from, i);
      int end = i + 1;
      while (end < text.length() && isPart(text.charAt(end))) {
        end++;
      }
      String name = text.substring(i + 1, end);
      boolean closed = end < text.length() && text.charAt(end) == ';';
      String character = character(name, closed);
      result.append(character == null ? text.substring(i, end) : character);
      from = character != null && closed ? end + 1 : end;
    }
    return result.append(text.substring(from)).toString();
  }

  private static boolean isPart(char c) {
    return c == '#' || (c < 128 && Character.isLetterOrDigit(c));
  }

  private static String character(String name, boolean closed) {
    if (name.startsWith("#")) {
      boolean hexadecimal = name.length() > 2 && (name.charAt(1) | 0x20) == 'x';
      try {
        int code =
            hexadecimal
                ? Integer.parseInt(name.substring(2), 16)
                : Integer.parseInt(name.substring(1));
        boolean valid = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        return valid ? Character.toString(code) : "\ufffd";
      } catch (NumberFormatException e) {
        return null;
      }
    }
    return closed ? NAMES.get(name) : null;
  }
}
