package dev.anneal.jinja.python;

import java.util.Locale;

/** Capital and small letters by Unicode's full mappings. */
public final class Letters {
  private Letters() {}

  public static String upper(String text) {
    return text.toUpperCase(Locale.ROOT);
  }

  public static String lower(String text) {
    String lower = text.toLowerCase(Locale.ROOT);
    if (text.indexOf('Σ') < 0) {
      return lower;
    }
    // Java ends words elsewhere
    StringBuilder result = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      result.append(c == 'Σ' ? sigma(text, i) : Character.toString(c).toLowerCase(Locale.ROOT));
      i += Character.charCount(c);
    }
    return result.toString();
  }

  /** The first character as in titles, the rest small. */
  public static String capitalize(String text) {
    if (text.isEmpty()) {
      return text;
    }
    int first = text.codePointAt(0);
    int length = Character.charCount(first);
    // small letters depend on what is before them
    String lower = lower(text);
    int lowerLength = lower(Character.toString(first)).length();
    return title(first)
        + (lower.length() >= lowerLength
            ? lower.substring(lowerLength)
            : lower(text.substring(length)));
  }

  /** Python's {@code str.title}. */
  static String title(String text) {
    StringBuilder result = new StringBuilder(text.length());
    boolean behindCased = false;
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      int next = i + Character.charCount(c);
      if (behindCased) {
        result.append(c == 'Σ' ? sigma(text, i) : lower(Character.toString(c)));
      } else {
        result.append(title(c));
      }
      behindCased = isCased(c);
      i = next;
    }
    return result.toString();
  }

  // the letter has another form at the end of a word: behind a letter with case, before none
  private static String sigma(String text, int at) {
    int i = at;
    while (i > 0 && isIgnorable(text.codePointBefore(i))) {
      i -= Character.charCount(text.codePointBefore(i));
    }
    if (i == 0 || !isCased(text.codePointBefore(i))) {
      return "σ";
    }
    int next = at + 1;
    while (next < text.length() && isIgnorable(text.codePointAt(next))) {
      next += Character.charCount(text.codePointAt(next));
    }
    return next < text.length() && isCased(text.codePointAt(next)) ? "σ" : "ς";
  }

  // Unicode's Case_Ignorable
  private static boolean isIgnorable(int c) {
    return switch (Character.getType(c)) {
      case Character.NON_SPACING_MARK,
          Character.ENCLOSING_MARK,
          Character.FORMAT,
          Character.MODIFIER_LETTER,
          Character.MODIFIER_SYMBOL ->
          true;
      default -> "'.:··՟״‘’․‧︓﹒﹕＇．：".indexOf(c) >= 0;
    };
  }

  private static boolean isCased(int c) {
    return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
  }

  private static String title(int c) {
    int title = Character.toTitleCase(c);
    String upper = upper(Character.toString(c));
    if (title != c || upper.codePointCount(0, upper.length()) == 1) {
      return Character.toString(title);
    }
    if (c == 'ŉ') {
      return "ʼN";
    }
    int first = upper.codePointAt(0);
    String rest = upper.substring(Character.charCount(first));
    return Character.toString(first) + lower(rest).replace('ι', '\u0345');
  }

  static String swapped(String text) {
    StringBuilder result = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); ) {
      int c = text.codePointAt(i);
      if (Character.isUpperCase(c)) {
        result.append(c == 'Σ' ? sigma(text, i) : lower(Character.toString(c)));
      } else {
        result.append(
            Character.isLowerCase(c) ? upper(Character.toString(c)) : Character.toString(c));
      }
      i += Character.charCount(c);
    }
    return result.toString();
  }

  /** For comparing without regard to capital letters. */
  static String folded(String text) {
    StringBuilder result = new StringBuilder(text.length());
    text.codePoints().forEach(c -> result.append(folded(c)));
    return result.toString();
  }

  private static String folded(int c) {
    boolean cherokee = c >= 0x13a0 && c <= 0x13f5;
    if (c < 128 || cherokee || c == 'ı') {
      return cherokee || c == 'ı' ? Character.toString(c) : lower(Character.toString(c));
    }
    if ((c >= 0x13f8 && c <= 0x13fd) || (c >= 0xab70 && c <= 0xabbf)) {
      return upper(Character.toString(c));
    }
    StringBuilder result = new StringBuilder();
    upper(Character.toString(c))
        .codePoints()
        .forEach(u -> result.append(lower(Character.toString(u))));
    return result.toString();
  }

  /** Python's {@code str.islower}. */
  public static boolean isLower(String text) {
    return Characters.isLower(text);
  }

  /** Python's {@code str.isupper}. */
  public static boolean isUpper(String text) {
    return Characters.isUpper(text);
  }
}
