package dev.anneal.data.token;

/**
 * The pattern with which Llama 3 cuts text into pieces before byte pairs are merged, by hand:
 * Java's regular expressions take as long for it as everything else together.
 */
final class SplitPattern {
  /** The pattern as {@code tokenizer.json} writes it. */
  static final String REGEX =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
          + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  private static final char LONG_S = '\u017f';

  private static final byte OTHER = 0;
  private static final byte LETTER = 1;
  private static final byte NUMBER = 2;
  private static final byte SPACE = 3;
  private static final byte LINE_END = 4;
  // stands behind the last character
  private static final byte END = 5;

  private static final byte[] ASCII = new byte[128];

  static {
    for (int c = 0; c < ASCII.length; c++) {
      ASCII[c] = classOf(c);
    }
  }

  private SplitPattern() {}

  /**
   * Whether the pattern's own library and this class must agree on the text: no character is newer
   * than this Java or folds to the letter of a contraction.
   */
  static boolean covers(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c >= ASCII.length) {
        int type = Character.getType(text.codePointAt(i));
        if (type == Character.UNASSIGNED || type == Character.SURROGATE || c == LONG_S) {
          return false;
        }
        i += width(text, i) - 1;
      }
    }
    return true;
  }

  /** The end of the piece that begins at {@code start}, where {@code start < limit}. */
  static int end(String text, int start, int limit) {
    byte first = kind(text, start, limit);
    int second = start + width(text, start);
    return switch (first) {
      case LETTER -> run(text, second, limit, LETTER);
      case NUMBER -> numbers(text, second, limit);
      case OTHER -> afterOther(text, start, second, limit);
      default -> afterSpace(text, start, first, limit);
    };
  }

  private static int afterOther(String text, int start, int second, int limit) {
    if (text.charAt(start) == '\'') {
      int contraction = contraction(text, second, limit);
      if (contraction != 0) {
        return contraction;
      }
    }
    if (kind(text, second, limit) == LETTER) {
      return run(text, second, limit, LETTER);
    }
    return run(text, run(text, second, limit, OTHER), limit, LINE_END);
  }

  private static int afterSpace(String text, int start, byte first, int limit) {
    int second = start + 1;
    byte next = kind(text, second, limit);
    if (first == SPACE && next == LETTER) {
      return run(text, second, limit, LETTER);
    }
    if (text.charAt(start) == ' ' && next == OTHER) {
      return run(text, run(text, second, limit, OTHER), limit, LINE_END);
    }
    int end = start;
    int behindLineEnd = 0;
    for (byte kind = first; kind == SPACE || kind == LINE_END; kind = kind(text, end, limit)) {
      end++;
      behindLineEnd = kind == LINE_END ? end : behindLineEnd;
    }
    if (behindLineEnd != 0) {
      return behindLineEnd;
    }
    // the last space before a word belongs to the word
    return end == limit || end == second ? end : end - 1;
  }

  /** The end of what may follow an apostrophe; 0 where it is no contraction. */
  private static int contraction(String text, int at, int limit) {
    if (at >= limit) {
      return 0;
    }
    return switch (text.charAt(at)) {
      case 's', 'S', 't', 'T', 'm', 'M', 'd', 'D' -> at + 1;
      case 'r', 'R', 'v', 'V' -> isLetter(text, at + 1, limit, 'e') ? at + 2 : 0;
      case 'l', 'L' -> isLetter(text, at + 1, limit, 'l') ? at + 2 : 0;
      default -> 0;
    };
  }

  private static boolean isLetter(String text, int at, int limit, char lowerCase) {
    return at < limit && (text.charAt(at) | 0x20) == lowerCase;
  }

  private static int numbers(String text, int at, int limit) {
    int end = at;
    for (int i = 1; i < 3 && kind(text, end, limit) == NUMBER; i++) {
      end += width(text, end);
    }
    return end;
  }

  private static int run(String text, int at, int limit, byte kind) {
    int end = at;
    while (kind(text, end, limit) == kind) {
      end += width(text, end);
    }
    return end;
  }

  private static byte kind(String text, int at, int limit) {
    if (at >= limit) {
      return END;
    }
    char c = text.charAt(at);
    return c < ASCII.length ? ASCII[c] : classOf(text.codePointAt(at));
  }

  private static int width(String text, int at) {
    return Character.isHighSurrogate(text.charAt(at))
        ? Character.charCount(text.codePointAt(at))
        : 1;
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
