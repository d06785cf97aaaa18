package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;

/** Numbers as texts and back, as Python writes and reads them. */
public final class NumberTexts {
  /** What Python converts between texts and integers. */
  private static final int MAX_DIGITS = 4300;

  private static final double PLAIN = 1e15;

  private NumberTexts() {}

  static String of(BigInteger number) {
    if (number.bitLength() > 4 * MAX_DIGITS || number.abs().toString().length() > MAX_DIGITS) {
      throw TemplateException.value(
          "Exceeds the limit (" + MAX_DIGITS + " digits) for integer string conversion");
    }
    return number.toString();
  }

  /** The shortest text that gives the float again. */
  public static String of(double number) {
    if (Double.isNaN(number)) {
      return "nan";
    }
    if (Double.isInfinite(number)) {
      return number > 0 ? "inf" : "-inf";
    }
    if (number == Math.rint(number) && Math.abs(number) < PLAIN) {
      boolean negativeZero = number == 0 && 1 / number < 0;
      return (negativeZero ? "-0" : Long.toString((long) number)) + ".0";
    }
    BigDecimal shortest = shortest(number);
    String digits = shortest.unscaledValue().abs().toString();
    int exponent = digits.length() - 1 - shortest.scale();
    String sign = number < 0 ? "-" : "";
    if (exponent >= -4 && exponent < 16) {
      String plain = shortest.abs().toPlainString();
      return sign + (plain.contains(".") ? plain : plain + ".0");
    }
    String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
    return sign + mantissa + exponent(exponent);
  }

  static String exponent(int exponent) {
    return (exponent < 0 ? "e-" : "e+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
  }

  private static BigDecimal shortest(double number) {
    BigDecimal exact = new BigDecimal(number);
    for (int digits = 1; digits < 17; digits++) {
      BigDecimal rounded = exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
      if (rounded.doubleValue() == number) {
        return rounded.stripTrailingZeros();
      }
    }
    return exact.round(new MathContext(17, RoundingMode.HALF_EVEN)).stripTrailingZeros();
  }

  /**
   * Python's {@code int} of a text.
   *
   * @return null if the text is no such number
   */
  public static Object integer(String text, int base) {
    if (base != 0 && (base < 2 || base > 36)) {
      throw TemplateException.value("int() base must be >= 2 and <= 36, or 0");
    }
    String rest = Texts.strip(text, null);
    boolean negative = rest.startsWith("-");
    if (negative || rest.startsWith("+")) {
      rest = rest.substring(1);
    }
    int radix = base;
    int prefix = prefix(rest);
    boolean prefixed = prefix > 0 && (base == 0 || base == prefix);
    if (prefixed) {
      radix = prefix;
      rest = rest.substring(2);
      // the prefix may be followed by an underscore
      rest = rest.startsWith("_") ? rest.substring(1) : rest;
    } else if (base == 0) {
      radix = 10;
    }
    String digits = digits(rest, radix);
    if (digits == null) {
      return null;
    }
    boolean leadingZero = base == 0 && !prefixed && digits.length() > 1 && digits.startsWith("0");
    if (leadingZero && digits.chars().anyMatch(c -> c != '0')) {
      return null;
    }
    if (digits.length() > MAX_DIGITS && Integer.bitCount(radix) != 1) {
      throw TemplateException.value(
          "Exceeds the limit (" + MAX_DIGITS + " digits) for integer string conversion");
    }
    BigInteger value = new BigInteger(digits, radix);
    return Numbers.shortest(negative ? value.negate() : value);
  }

  private static int prefix(String text) {
    if (text.length() < 2 || text.charAt(0) != '0') {
      return 0;
    }
    return switch (text.charAt(1)) {
      case 'b', 'B' -> 2;
      case 'o', 'O' -> 8;
      case 'x', 'X' -> 16;
      default -> 0;
    };
  }

  /** ASCII digits without the underscores between them; null if it is anything else. */
  private static String digits(String text, int radix) {
    StringBuilder digits = new StringBuilder(text.length());
    boolean needsDigit = true;
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      if (c == '_') {
        if (needsDigit) {
          return null;
        }
        needsDigit = true;
        continue;
      }
      int digit =
          c < 128 || Character.getType(c) == Character.DECIMAL_DIGIT_NUMBER
              ? Character.digit(c, radix)
              : -1;
      if (digit < 0) {
        return null;
      }
      digits.append(Character.forDigit(digit, radix));
      needsDigit = false;
    }
    return needsDigit ? null : digits.toString();
  }

  /**
   * Python's {@code float} of a text.
   *
   * @return null if the text is no such number
   */
  public static Double real(String text) {
    String rest = ascii(Texts.strip(text, null));
    if (rest == null || rest.isEmpty()) {
      return null;
    }
    boolean signed = rest.charAt(0) == '-' || rest.charAt(0) == '+';
    double sign = rest.charAt(0) == '-' ? -1 : 1;
    String number = signed ? rest.substring(1) : rest;
    switch (number.toLowerCase(Locale.ROOT)) {
      case "inf", "infinity" -> {
        return sign * Double.POSITIVE_INFINITY;
      }
      case "nan" -> {
        return Double.NaN;
      }
      default -> {}
    }
    if (!isReal(number)) {
      return null;
    }
    return sign * Double.parseDouble(number.replace("_", ""));
  }

  // digits of other scripts become those of ASCII
  private static String ascii(String text) {
    StringBuilder ascii = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int c = text.codePointAt(i);
      boolean digit = c >= 128 && Character.getType(c) == Character.DECIMAL_DIGIT_NUMBER;
      if (c >= 128 && !digit) {
        return null;
      }
      ascii.append(digit ? Character.forDigit(Character.digit(c, 10), 10) : (char) c);
    }
    return ascii.toString();
  }

  private static boolean isReal(String text) {
    int i = run(text, 0);
    boolean whole = i > 0;
    if (i < text.length() && text.charAt(i) == '.') {
      int end = run(text, i + 1);
      boolean fraction = end > i + 1;
      if (!whole && !fraction) {
        return false;
      }
      i = end;
    } else if (!whole) {
      return false;
    }
    if (i < text.length() && (text.charAt(i) | 0x20) == 'e') {
      i++;
      if (i < text.length() && "+-".indexOf(text.charAt(i)) >= 0) {
        i++;
      }
      int end = run(text, i);
      if (end == i) {
        return false;
      }
      i = end;
    }
    return i == text.length();
  }

  private static int run(String text, int start) {
    int i = start;
    while (i < text.length()
        && (isDigit(text, i) || (i > start && text.charAt(i) == '_' && isDigit(text, i + 1)))) {
      i++;
    }
    return i;
  }

  private static boolean isDigit(String text, int i) {
    return i < text.length() && text.charAt(i) >= '0' && text.charAt(i) <= '9';
  }
}
