package dev.anneal.jinja.python;

import java.util.Locale;
import java.util.function.IntPredicate;

/** Classes of characters as Python's methods of texts tell them apart. */
final class Characters {
  private Characters() {}

  static boolean isPrintable(int c) {
    if (c == ' ') {
      return true;
    }
    return switch (Character.getType(c)) {
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

  static String escape(int c) {
    return c < 0x100
        ? String.format(Locale.ROOT, "\\x%02x", c)
        : c < 0x10000
            ? String.format(Locale.ROOT, "\\u%04x", c)
            : String.format(Locale.ROOT, "\\U%08x", c);
  }

  static boolean isAlpha(int c) {
    return Character.isLetter(c);
  }

  static boolean isDecimal(int c) {
    return Character.getType(c) == Character.DECIMAL_DIGIT_NUMBER;
  }

  /** Decimal digits, and those above and below the line and in circles. */
  static boolean isDigit(int c) {
    return isDecimal(c)
        || c == 0xb2
        || c == 0xb3
        || c == 0xb9
        || in(c, 0x1369, 0x1371)
        || c == 0x19da
        || c == 0x2070
        || in(c, 0x2074, 0x2079)
        || in(c, 0x2080, 0x2089)
        || in(c, 0x2460, 0x2468)
        || in(c, 0x2474, 0x247c)
        || in(c, 0x2488, 0x2490)
        || c == 0x24ea
        || in(c, 0x24f5, 0x24fd)
        || c == 0x24ff
        || in(c, 0x2776, 0x277e)
        || in(c, 0x2780, 0x2788)
        || in(c, 0x278a, 0x2792)
        || in(c, 0x10a40, 0x10a43)
        || in(c, 0x10e60, 0x10e68)
        || in(c, 0x11052, 0x1105a)
        || in(c, 0x1f100, 0x1f10a);
  }

  static boolean isNumeric(int c) {
    return switch (Character.getType(c)) {
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
      default -> isNumericIdeograph(c);
    };
  }

  // ideographs that stand for numbers, by Unicode's kPrimaryNumeric and its like
  private static boolean isNumericIdeograph(int c) {
    return c >= 0x3400
        && "㐃㐅㒃㒒㔀㕟㖊㖍㖓㝪㠪㡬㡿㢡㢤㥃㥒㧙㧬㩔㩕㪅㪆㪛一七万三两九二五亖亿什仟仨伍佰億兆兩八六十千卄卅卌叁参參叄四壱壹拾捌柒漆玖百肆萬貮貳贰阡陆陌陸零".indexOf(c)
            >= 0;
  }

  static boolean isAlphanumeric(int c) {
    return isAlpha(c) || isNumeric(c) || isDigit(c);
  }

  private static boolean in(int c, int first, int last) {
    return c >= first && c <= last;
  }

  /** Whether there is one, and all are. */
  static boolean all(String text, IntPredicate test) {
    return !text.isEmpty() && text.codePoints().allMatch(test);
  }

  static boolean isLower(String text) {
    boolean found = false;
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      if (Character.isUpperCase(c) || Character.isTitleCase(c)) {
        return false;
      }
      found |= Character.isLowerCase(c);
    }
    return found;
  }

  static boolean isUpper(String text) {
    boolean found = false;
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      if (Character.isLowerCase(c) || Character.isTitleCase(c)) {
        return false;
      }
      found |= Character.isUpperCase(c);
    }
    return found;
  }

  static boolean isTitle(String text) {
    boolean found = false;
    boolean behindCased = false;
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      boolean upper = Character.isUpperCase(c) || Character.isTitleCase(c);
      boolean lower = Character.isLowerCase(c);
      if ((upper && behindCased) || (lower && !behindCased)) {
        return false;
      }
      found |= upper || lower;
      behindCased = upper || lower;
    }
    return found;
  }

  static boolean isIdentifier(String text) {
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      boolean fits =
          c == '_'
              || (i == 0
                  ? Character.isUnicodeIdentifierStart(c)
                  : Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c));
      if (!fits) {
        return false;
      }
    }
    return !text.isEmpty();
  }
}
