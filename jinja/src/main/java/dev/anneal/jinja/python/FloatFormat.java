package dev.anneal.jinja.python;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Locale;

/** Floats with a number of digits, exactly rounded as CPython does it. */
final class FloatFormat {
  private FloatFormat() {}

  /**
   * The digits without a sign.
   *
   * @param type one of {@code eEfFgG%n}, or 0 for the shortest text
   * @param precision -1 for the usual one
   * @param alternate whether a point stands in any case
   */
  static String absolute(double number, char type, int precision, boolean alternate) {
    String percent = type == '%' ? "%" : "";
    if (Double.isNaN(number) || Double.isInfinite(number)) {
      String name = Double.isNaN(number) ? "nan" : "inf";
      return (Character.isUpperCase(type) ? name.toUpperCase(Locale.ROOT) : name) + percent;
    }
    double value = Math.abs(number) * (type == '%' ? 100 : 1);
    if (Double.isInfinite(value)) {
      return "inf%";
    }
    BigDecimal exact = new BigDecimal(value);
    return switch (type) {
      case 'f', 'F', '%' -> fixed(exact, precision < 0 ? 6 : precision, alternate) + percent;
      case 'e', 'E' -> cased(scientific(exact, precision < 0 ? 6 : precision, alternate), type);
      case 0 ->
          precision < 0 ? shortest(value, alternate) : general(exact, precision, alternate, 1);
      default -> cased(general(exact, precision < 0 ? 6 : precision, alternate, 0), type);
    };
  }

  private static String cased(String text, char type) {
    return Character.isUpperCase(type) ? text.toUpperCase(Locale.ROOT) : text;
  }

  private static String shortest(double value, boolean alternate) {
    String text = NumberTexts.of(value);
    int exponent = text.indexOf('e');
    boolean adds = alternate && exponent >= 0 && text.indexOf('.') < 0;
    return adds ? text.substring(0, exponent) + "." + text.substring(exponent) : text;
  }

  private static String fixed(BigDecimal value, int places, boolean alternate) {
    String text = value.setScale(places, RoundingMode.HALF_EVEN).toPlainString();
    return places == 0 && alternate ? text + "." : text;
  }

  private static String scientific(BigDecimal value, int places, boolean alternate) {
    BigDecimal rounded = value.round(new MathContext(places + 1, RoundingMode.HALF_EVEN));
    boolean zero = rounded.signum() == 0;
    StringBuilder digits = new StringBuilder(zero ? "0" : rounded.unscaledValue().toString());
    int exponent = zero ? 0 : digits.length() - 1 - rounded.scale();
    while (digits.length() < places + 1) {
      digits.append('0');
    }
    digits.setLength(places + 1);
    if (places > 0 || alternate) {
      digits.insert(1, '.');
    }
    return digits + NumberTexts.exponent(exponent);
  }

  /** Python's {@code g}; without a type a fraction of at least one digit stays. */
  private static String general(BigDecimal value, int precision, boolean alternate, int fraction) {
    int digits = Math.max(1, precision);
    BigDecimal rounded = value.round(new MathContext(digits, RoundingMode.HALF_EVEN));
    int exponent = rounded.signum() == 0 ? 0 : rounded.precision() - 1 - rounded.scale();
    // without a type a number that would lose its point turns to an exponent one digit earlier
    boolean plain = exponent >= -4 && exponent < digits - fraction;
    if (!plain) {
      String text = scientific(value, digits - 1, alternate);
      return alternate ? text : withoutZeros(text);
    }
    String text = fixed(rounded, Math.max(0, digits - 1 - exponent), alternate);
    if (!alternate) {
      text = withoutZeros(text);
    }
    return fraction > 0 && text.indexOf('.') < 0 ? text + ".0" : text;
  }

  private static String withoutZeros(String text) {
    int exponent = text.indexOf('e');
    String mantissa = exponent < 0 ? text : text.substring(0, exponent);
    if (mantissa.indexOf('.') >= 0) {
      int end = mantissa.length();
      while (mantissa.charAt(end - 1) == '0') {
        end--;
      }
      mantissa = mantissa.substring(0, mantissa.charAt(end - 1) == '.' ? end - 1 : end);
    }
    return exponent < 0 ? mantissa : mantissa + text.substring(exponent);
  }
}
