package dev.anneal.jinja.python;

import dev.anneal.jinja.syntax.Whitespace;
import java.util.ArrayList;
import java.util.List;

/** Texts as rows of code points, and what their methods share. */
public final class Texts {
  private static final String[] ASCII = new String[128];

  static {
    for (int i = 0; i < ASCII.length; i++) {
      ASCII[i] = String.valueOf((char) i);
    }
  }

  private Texts() {}

  /** How many code points it has. */
  public static int length(String text) {
    return text.codePointCount(0, text.length());
  }

  static boolean isPlain(String text) {
    return length(text) == text.length();
  }

  /** The code point at an index that is inside. */
  static String at(String text, int index) {
    if (isPlain(text)) {
      char c = text.charAt(index);
      return c < 128 ? ASCII[c] : String.valueOf(c);
    }
    int unit = text.offsetByCodePoints(0, index);
    return Character.toString(text.codePointAt(unit));
  }

  /** From one code point to another, both inside. */
  public static String part(String text, int start, int end) {
    if (start >= end) {
      return "";
    }
    if (isPlain(text)) {
      return text.substring(start, end);
    }
    int from = text.offsetByCodePoints(0, start);
    return text.substring(from, text.offsetByCodePoints(from, end - start));
  }

  /** Its code points, each as a text. */
  public static List<Object> characters(String text) {
    List<Object> characters = new ArrayList<>(text.length());
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      characters.add(c < 128 ? ASCII[c] : Character.toString(c));
      i += Character.charCount(c);
    }
    return characters;
  }

  /** By code points, as Python compares. */
  static int compare(String a, String b) {
    int length = Math.min(a.length(), b.length());
    for (int i = 0; i < length; i++) {
      char x = a.charAt(i);
      char y = b.charAt(i);
      if (x != y) {
        boolean surrogates = Character.isSurrogate(x) != Character.isSurrogate(y);
        return surrogates ? Character.isSurrogate(x) ? 1 : -1 : Character.compare(x, y);
      }
    }
    return Integer.compare(a.length(), b.length());
  }

  /** Without white space, or without those characters, at both ends. */
  public static String strip(String text, String characters) {
    return stripEnd(stripStart(text, characters), characters);
  }

  public static String stripStart(String text, String characters) {
    int start = 0;
    while (start < text.length()) {
      int c = text.codePointAt(start);
      if (!drops(characters, c)) {
        break;
      }
      start += Character.charCount(c);
    }
    return text.substring(start);
  }

  public static String stripEnd(String text, String characters) {
    int end = text.length();
    while (end > 0) {
      int c = text.codePointBefore(end);
      if (!drops(characters, c)) {
        break;
      }
      end -= Character.charCount(c);
    }
    return text.substring(0, end);
  }

  private static boolean drops(String characters, int c) {
    return characters == null ? Whitespace.is(c) : characters.indexOf(c) >= 0;
  }

  /** The first {@code limit} of {@code old} replaced, all if that is negative. */
  public static String replace(
      Budget budget, String text, String old, String replacement, long limit) {
    if (limit == 0 || (!old.isEmpty() && text.indexOf(old) < 0)) {
      return text;
    }
    if (old.isEmpty()) {
      return between(budget, text, replacement, limit);
    }
    StringBuilder result = new StringBuilder(text.length());
    int from = 0;
    long left = limit;
    for (int i = text.indexOf(old); i >= 0 && left != 0; i = text.indexOf(old, from)) {
      result.append(text, from, i);
      budget.text(replacement.length());
      result.append(replacement);
      requireLength(budget, result);
      from = i + old.length();
      left--;
    }
    budget.text(result.length() + (long) text.length() - from);
    return result.append(text, from, text.length()).toString();
  }

  private static String between(Budget budget, String text, String replacement, long limit) {
    budget.text(text.length() + (text.length() + 1L) * replacement.length());
    StringBuilder result = new StringBuilder();
    long left = limit;
    int i = 0;
    while (left != 0) {
      result.append(replacement);
      left--;
      if (i >= text.length()) {
        break;
      }
      int c = text.codePointAt(i);
      result.appendCodePoint(c);
      i += Character.charCount(c);
    }
    return result.append(text, i, text.length()).toString();
  }

  private static void requireLength(Budget budget, StringBuilder text) {
    if (text.length() > Budget.MAX_TEXT) {
      budget.text(text.length());
    }
  }

  /** A text several times. */
  public static String repeat(Budget budget, String text, long times) {
    if (times <= 0 || text.isEmpty()) {
      return "";
    }
    budget.text(times > Budget.MAX_TEXT ? times : text.length() * times);
    return text.repeat((int) times);
  }

  /** Lines at Python's line ends, with those ends or without them. */
  public static List<Object> lines(String text, boolean keepEnds) {
    List<Object> lines = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < text.length(); i++) {
      if (isLineEnd(text.charAt(i))) {
        int end = i;
        if (text.charAt(i) == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n') {
          i++;
        }
        lines.add(text.substring(start, keepEnds ? i + 1 : end));
        start = i + 1;
      }
    }
    if (start < text.length()) {
      lines.add(text.substring(start));
    }
    return lines;
  }

  /** Lines without their ends. */
  public static List<Object> lines(String text) {
    return lines(text, false);
  }

  private static boolean isLineEnd(char c) {
    return (c >= 0x0a && c <= 0x0d)
        || (c >= 0x1c && c <= 0x1e)
        || c == 0x85
        || c == 0x2028
        || c == 0x2029;
  }
}
