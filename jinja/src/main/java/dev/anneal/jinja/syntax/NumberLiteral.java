package dev.anneal.jinja.syntax;

import java.math.BigInteger;

/**
 * A number of a template, as Jinja's {@code integer_re} and {@code float_re} find it.
 *
 * @param value a {@code Long}, a {@code BigInteger} where that is too short, or a {@code Double}
 * @param end place behind it
 */
record NumberLiteral(TokenType type, Object value, int end) {
  private static final BigInteger LONGEST = BigInteger.valueOf(Long.MAX_VALUE);

  /** Reads the number at the place of a digit. */
  static NumberLiteral read(String source, int start) {
    boolean behindDot = start > 0 && source.charAt(start - 1) == '.';
    int end = behindDot ? -1 : endOfFloat(source, start);
    if (end >= 0) {
      return new NumberLiteral(
          TokenType.FLOAT, Double.valueOf(source.substring(start, end).replace("_", "")), end);
    }
    return integer(source, start);
  }

  private static int endOfFloat(String source, int start) {
    int i = digits(source, start);
    boolean fraction = false;
    if (i + 1 < source.length() && source.charAt(i) == '.' && isDigit(source, i + 1)) {
      i = digits(source, i + 1);
      fraction = true;
    }
    if (i < source.length() && (source.charAt(i) | 0x20) == 'e') {
      int exponent = i + 1;
      if (exponent < source.length() && "+-".indexOf(source.charAt(exponent)) >= 0) {
        exponent++;
      }
      if (isDigit(source, exponent)) {
        return digits(source, exponent);
      }
    }
    return fraction ? i : -1;
  }

  /** Behind digits with single underscores between them. */
  private static int digits(String source, int start) {
    int i = start;
    while (isDigit(source, i) || (i > start && at(source, i) == '_' && isDigit(source, i + 1))) {
      i++;
    }
    return i;
  }

  private static NumberLiteral integer(String source, int start) {
    int radix =
        at(source, start) == '0'
            ? switch (at(source, start + 1) | 0x20) {
              case 'b' -> 2;
              case 'o' -> 8;
              case 'x' -> 16;
              default -> 10;
            }
            : 10;
    int first = radix == 10 ? start : start + 2;
    int end = radix == 10 ? start + 1 : first;
    // a zero is followed by zeros only
    int digitRadix = radix == 10 && at(source, start) == '0' ? 1 : radix;
    while (isDigit(source, end, digitRadix)
        || (at(source, end) == '_' && isDigit(source, end + 1, digitRadix))) {
      end++;
    }
    if (end == first) {
      return new NumberLiteral(TokenType.INTEGER, 0L, start + 1);
    }
    BigInteger value = new BigInteger(source.substring(first, end).replace("_", ""), radix);
    return new NumberLiteral(
        TokenType.INTEGER, value.compareTo(LONGEST) <= 0 ? (Object) value.longValue() : value, end);
  }

  private static char at(String source, int i) {
    return i < source.length() ? source.charAt(i) : ' ';
  }

  private static boolean isDigit(String source, int i) {
    return isDigit(source, i, 10);
  }

  private static boolean isDigit(String source, int i, int radix) {
    char c = at(source, i);
    return radix == 1 ? c == '0' : c < 128 && Character.digit(c, radix) >= 0;
  }
}
