package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.error.TemplateException.Kind;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Set;

/** Attributes and methods of numbers. */
final class NumberMethods {
  private static final Set<String> OF_BOTH = Set.of("conjugate", "as_integer_ratio");
  private static final Set<String> OF_INTEGERS = Set.of("bit_length", "bit_count");
  private static final Set<String> OF_FLOATS = Set.of("is_integer", "hex");

  /** Hexadecimal digits of a float behind the point. */
  private static final int DIGITS = 13;

  private NumberMethods() {}

  static boolean has(Object object, String name) {
    boolean integer = Values.isInteger(object);
    boolean real = object instanceof Double;
    return ((integer || real) && OF_BOTH.contains(name))
        || (integer && OF_INTEGERS.contains(name))
        || (real && OF_FLOATS.contains(name));
  }

  /** An attribute that is no method; absent if there is none. */
  static Object attribute(Object object, String name) {
    if (!Numbers.isNumber(object)) {
      return Attributes.ABSENT;
    }
    boolean real = object instanceof Double;
    return switch (name) {
      case "real" -> plain(object);
      case "imag" -> real ? (Object) 0.0 : 0L;
      case "numerator" -> real ? Attributes.ABSENT : plain(object);
      case "denominator" -> real ? Attributes.ABSENT : 1L;
      default -> Attributes.ABSENT;
    };
  }

  private static Object plain(Object number) {
    return number instanceof Boolean ? Numbers.index(number) : number;
  }

  static Object call(Object number, String name, Arguments arguments) {
    arguments.require(name, 0, 0);
    return switch (name) {
      case "conjugate" -> plain(number);
      case "bit_length" -> (long) Numbers.big(number).abs().bitLength();
      case "bit_count" -> (long) Numbers.big(number).abs().bitCount();
      case "is_integer" -> {
        double real = (Double) number;
        yield !Double.isInfinite(real) && real == Math.rint(real);
      }
      case "as_integer_ratio" -> ratio(number);
      default -> hexadecimal((Double) number);
    };
  }

  /** As Java writes it, but with thirteen digits and with a sign before the exponent. */
  private static String hexadecimal(double real) {
    if (Double.isNaN(real) || Double.isInfinite(real)) {
      return Repr.of(real);
    }
    String text = Double.toHexString(real);
    int point = text.indexOf('.');
    int exponent = text.indexOf('p');
    String digits = text.substring(point + 1, exponent);
    boolean negative = text.charAt(exponent + 1) == '-';
    return text.substring(0, point + 1)
        + (real == 0 ? "0" : digits + "0".repeat(DIGITS - digits.length()))
        + (negative ? "p" : "p+")
        + text.substring(exponent + 1);
  }

  private static Tuple ratio(Object number) {
    if (!(number instanceof Double real)) {
      return Tuple.of(plain(number), 1L);
    }
    if (real.isNaN()) {
      throw TemplateException.value("cannot convert NaN to integer ratio");
    }
    if (real.isInfinite()) {
      throw new TemplateException(Kind.OVERFLOW, "cannot convert Infinity to integer ratio");
    }
    BigDecimal exact = new BigDecimal(real);
    BigInteger denominator = BigInteger.TEN.pow(Math.max(0, exact.scale()));
    BigInteger numerator = exact.multiply(new BigDecimal(denominator)).toBigIntegerExact();
    BigInteger common = numerator.gcd(denominator);
    return Tuple.of(
        Numbers.shortest(numerator.divide(common)), Numbers.shortest(denominator.divide(common)));
  }
}
