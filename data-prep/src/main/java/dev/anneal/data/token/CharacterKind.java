package dev.anneal.data.token;

/** The classes that the patterns of tokenizers divide characters into. */
final class CharacterKind {
  static final byte OTHER = 0;
  static final byte LETTER = 1;
  static final byte NUMBER = 2;
  static final byte SPACE = 3;

  /** {@code \r} and {@code \n}, which are spaces too. */
  static final byte LINE_END = 4;

  /** Stands behind the last character. */
  static final byte END = 5;

  private static final char LONG_S = '\u017f';
  private static final byte[] ASCII = new byte[128];

  static {
    for (int c = 0; c < ASCII.length; c++) {
      ASCII[c] = classOf(c);
    }
  }

  private CharacterKind() {}

  /**
   * Whether the library of the patterns and this class must agree on the text: no character is
   * newer than this Java or folds to the letter of a contraction.
   */
  static boolean covers(char[] text) {
    for (int i = 0; i < text.length; i++) {
      char c = text[i];
      if (c >= ASCII.length) {
        int type = Character.getType(Character.codePointAt(text, i));
        if (type == Character.UNASSIGNED || type == Character.SURROGATE || c == LONG_S) {
          return false;
        }
        i += width(text, i) - 1;
      }
    }
    return true;
  }

  /** The kind of the character at a place; {@link #END} at {@code limit}. */
  static byte at(char[] text, int place, int limit) {
    if (place >= limit) {
      return END;
    }
    char c = text[place];
    return c < ASCII.length ? ASCII[c] : classOf(Character.codePointAt(text, place));
  }

  /** How many bytes a code point takes in UTF-8. */
  static int utf8Bytes(int codePoint) {
    return codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
  }

  /** How many of Java's {@code char} the character at a place takes. */
  static int width(char[] text, int place) {
    return Character.isHighSurrogate(text[place])
        ? Character.charCount(Character.codePointAt(text, place))
        : 1;
  }

  /** The end of the run of one kind that goes on at {@code place}. */
  static int run(char[] text, int place, int limit, byte kind) {
    int end = place;
    while (at(text, end, limit) == kind) {
      end += width(text, end);
    }
    return end;
  }

  private static byte classOf(int codePoint) {
    if (codePoint == '\r' || codePoint == '\n') {
      return LINE_END;
    }
    if (isSpace(codePoint)) {
      return SPACE;
    }
    return switch (Character.getType(codePoint)) {
      case Character.UPPERCASE_LETTER,
          Character.LOWERCASE_LETTER,
          Character.TITLECASE_LETTER,
          Character.MODIFIER_LETTER,
          Character.OTHER_LETTER ->
          LETTER;
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER ->
          NUMBER;
      default -> OTHER;
    };
  }

  // Unicode's White_Space
  private static boolean isSpace(int c) {
    return (c >= 0x09 && c <= 0x0d)
        || c == ' '
        || c == 0x85
        || c == 0xa0
        || c == 0x1680
        || (c >= 0x2000 && c <= 0x200a)
        || c == 0x2028
        || c == 0x2029
        || c == 0x202f
        || c == 0x205f
        || c == 0x3000;
  }
}
