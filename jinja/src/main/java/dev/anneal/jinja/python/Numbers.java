package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.error.TemplateException.Kind;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;

/** Arithmetic of integers of any length, floats and truth values. */
public final class Numbers {
  private static final long EXACT = 1L << 53;
  private static final int MAX_BITS = 1 << 20;
  private static final BigInteger LEAST = BigInteger.valueOf(Long.MIN_VALUE);
  private static final BigInteger MOST = BigInteger.valueOf(Long.MAX_VALUE);

  private Numbers() {}

  public static boolean isNumber(Object value) {
    return value instanceof Long
        || value instanceof Double
        || value instanceof Boolean
        || value instanceof BigInteger;
  }

  static boolean isNaN(Object value) {
    return value instanceof Double number && number.isNaN();
  }

  /** A {@code Long} where it is long enough. */
  public static Object shortest(BigInteger value) {
    boolean fits = value.compareTo(LEAST) >= 0 && value.compareTo(MOST) <= 0;
    return fits ? (Object) value.longValue() : value;
  }

  public static BigInteger big(Object integer) {
    return integer instanceof BigInteger big ? big : BigInteger.valueOf(small(integer));
  }

  private static boolean isSmall(Object value) {
    return value instanceof Long || value instanceof Boolean;
  }

  private static long small(Object value) {
    return value instanceof Long number ? number : (Boolean) value ? 1 : 0;
  }

  /** A number as a float. */
  public static double real(Object number) {
    if (number instanceof Double real) {
      return real;
    }
    if (number instanceof BigInteger big) {
      double real = big.doubleValue();
      if (Double.isInfinite(real)) {
        throw new TemplateException(Kind.OVERFLOW, "int too large to convert to float");
      }
      return real;
    }
    return small(number);
  }

  /** An integer where Python wants one: no floats. */
  public static Object index(Object value) {
    if (value instanceof Long || value instanceof BigInteger) {
      return value;
    }
    if (value instanceof Boolean truth) {
      return truth ? 1L : 0L;
    }
    if (value instanceof Undefined undefined) {
      throw undefined.error();
    }
    throw TemplateException.type(
        "'" + Values.typeName(value) + "' object cannot be interpreted as an integer");
  }

  /** The same, cut to what an {@code int} holds. */
  public static int size(Object value) {
    Object index = index(value);
    if (index instanceof BigInteger) {
      throw new TemplateException(Kind.OVERFLOW, "Python int too large to convert to C ssize_t");
    }
    return (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, (Long) index));
  }

  static boolean same(Object a, Object b) {
    return !isNaN(a) && !isNaN(b) && compare(a, b) == 0;
  }

  static int compare(Object a, Object b) {
    if (isSmall(a) && isSmall(b)) {
      return Long.compare(small(a), small(b));
    }
    boolean aReal = a instanceof Double;
    boolean bReal = b instanceof Double;
    if (aReal && bReal) {
      double x = (Double) a;
      double y = (Double) b;
      return x < y ? -1 : x > y ? 1 : 0;
    }
    if (aReal && ((Double) a).isInfinite()) {
      return (Double) a > 0 ? 1 : -1;
    }
    if (bReal && ((Double) b).isInfinite()) {
      return (Double) b > 0 ? -1 : 1;
    }
    return decimal(a).compareTo(decimal(b));
  }

  private static BigDecimal decimal(Object number) {
    return number instanceof Double real ? new BigDecimal(real) : new BigDecimal(big(number));
  }

  static Object add(Object a, Object b) {
    if (a instanceof Double || b instanceof Double) {
      return real(a) + real(b);
    }
    if (isSmall(a) && isSmall(b)) {
      long x = small(a);
      long y = small(b);
      long sum = x + y;
      if (((x ^ sum) & (y ^ sum)) >= 0) {
        return sum;
      }
    }
    return shortest(big(a).add(big(b)));
  }

  static Object subtract(Object a, Object b) {
    if (a instanceof Double || b instanceof Double) {
      return real(a) - real(b);
    }
    if (isSmall(a) && isSmall(b)) {
      long x = small(a);
      long y = small(b);
      long difference = x - y;
      if (((x ^ y) & (x ^ difference)) >= 0) {
        return difference;
      }
    }
    return shortest(big(a).subtract(big(b)));
  }

  static Object multiply(Object a, Object b) {
    if (a instanceof Double || b instanceof Double) {
      return real(a) * real(b);
    }
    BigInteger x = big(a);
    BigInteger y = big(b);
    requireBits((long) x.bitLength() + y.bitLength());
    return shortest(x.multiply(y));
  }

  private static void requireBits(long bits) {
    if (bits > MAX_BITS) {
      throw TemplateException.limit("it makes a number of " + bits + " bits");
    }
  }

  static Object divide(Object a, Object b) {
    requireNonZero(b, "division by zero");
    if (a instanceof Double || b instanceof Double || (isExact(a) && isExact(b))) {
      return real(a) / real(b);
    }
    double quotient =
        new BigDecimal(big(a)).divide(new BigDecimal(big(b)), new MathContext(60)).doubleValue();
    if (Double.isInfinite(quotient)) {
      throw new TemplateException(Kind.OVERFLOW, "integer division result too large for a float");
    }
    return quotient;
  }

  private static boolean isExact(Object value) {
    return isSmall(value) && small(value) > -EXACT && small(value) < EXACT;
  }

  private static void requireNonZero(Object number, String message) {
    boolean zero =
        number instanceof Double real ? real == 0 : isSmall(number) && small(number) == 0;
    if (zero) {
      throw new TemplateException(Kind.DIVISION, message);
    }
  }

  static Object floorDivide(Object a, Object b) {
    if (a instanceof Double || b instanceof Double) {
      requireNonZero(b, "float floor division by zero");
      return floorQuotient(real(a), real(b));
    }
    requireNonZero(b, "integer division or modulo by zero");
    if (isSmall(a) && isSmall(b) && small(b) != -1) {
      return Math.floorDiv(small(a), small(b));
    }
    BigInteger[] parts = big(a).divideAndRemainder(big(b));
    boolean round = parts[1].signum() != 0 && parts[1].signum() != big(b).signum();
    return shortest(round ? parts[0].subtract(BigInteger.ONE) : parts[0]);
  }

  // CPython's float_divmod
  private static double floorQuotient(double x, double y) {
    double remainder = x % y;
    double quotient = (x - remainder) / y;
    if (remainder != 0 && (y < 0) != (remainder < 0)) {
      quotient -= 1;
    }
    if (quotient == 0) {
      return Math.copySign(0.0, x / y);
    }
    double floor = Math.floor(quotient);
    return quotient - floor > 0.5 ? floor + 1 : floor;
  }

  static Object modulo(Object a, Object b) {
    if (a instanceof Double || b instanceof Double) {
      requireNonZero(b, "float modulo");
      double y = real(b);
      double remainder = real(a) % y;
      if (remainder == 0) {
        return Math.copySign(0.0, y);
      }
      return (y < 0) != (remainder < 0) ? remainder + y : remainder;
    }
    requireNonZero(b, "integer division or modulo by zero");
    if (isSmall(a) && isSmall(b)) {
      return Math.floorMod(small(a), small(b));
    }
    BigInteger divisor = big(b);
    BigInteger remainder = big(a).mod(divisor.abs());
    return shortest(
        divisor.signum() < 0 && remainder.signum() != 0 ? remainder.add(divisor) : remainder);
  }

  static Object power(Object a, Object b) {
    if (a instanceof Double || b instanceof Double || big(b).signum() < 0) {
      return realPower(real(a), real(b));
    }
    BigInteger base = big(a);
    BigInteger exponent = big(b);
    if (base.bitLength() > 1) {
      if (exponent.bitLength() > 31) {
        throw TemplateException.limit("it makes a number that is too long");
      }
      requireBits(base.bitLength() * exponent.longValue());
    }
    // of 0, 1 and -1 only whether the exponent is even matters
    int times = exponent.bitLength() > 31 ? 2 + (exponent.testBit(0) ? 1 : 0) : exponent.intValue();
    return shortest(base.pow(times));
  }

  private static double realPower(double x, double y) {
    if (x == 0 && y < 0) {
      throw new TemplateException(Kind.DIVISION, "0.0 cannot be raised to a negative power");
    }
    if (x == 1 || y == 0) {
      return 1;
    }
    if (x == -1 && Double.isInfinite(y)) {
      return 1;
    }
    if (x < 0 && !Double.isInfinite(x) && y != Math.rint(y)) {
      throw TemplateException.unsupported("there are no complex numbers in templates");
    }
    double result = Math.pow(x, y);
    if (Double.isInfinite(result) && !Double.isInfinite(x) && !Double.isInfinite(y)) {
      throw new TemplateException(Kind.OVERFLOW, "result too large");
    }
    return result;
  }

  public static Object negate(Object number) {
    if (number instanceof Double real) {
      return -real;
    }
    boolean plain = isSmall(number) && small(number) != Long.MIN_VALUE;
    return plain ? (Object) (-small(number)) : shortest(big(number).negate());
  }

  public static Object abs(Object number) {
    if (number instanceof Double real) {
      return Math.abs(real);
    }
    return big(number).signum() < 0
        ? negate(number)
        : number instanceof Boolean ? small(number) : number;
  }

  /** Python's {@code int} of a float. */
  public static Object truncate(double number) {
    if (Double.isNaN(number)) {
      throw TemplateException.value("cannot convert float NaN to integer");
    }
    if (Double.isInfinite(number)) {
      throw new TemplateException(Kind.OVERFLOW, "cannot convert float infinity to integer");
    }
    return shortest(new BigDecimal(number).toBigInteger());
  }

  /** Python's {@code round} to a number of digits, halves to the even one. */
  public static Object round(Object number, Object digits) {
    int places = size(digits);
    if (number instanceof Double real) {
      if (real.isNaN() || real.isInfinite() || real == 0 || places > 323) {
        return real;
      }
      if (places < -308) {
        return Math.copySign(0.0, real);
      }
      double rounded = new BigDecimal(real).setScale(places, RoundingMode.HALF_EVEN).doubleValue();
      if (Double.isInfinite(rounded)) {
        throw new TemplateException(Kind.OVERFLOW, "rounded value too large to represent");
      }
      return rounded == 0 ? Math.copySign(0.0, real) : (Object) rounded;
    }
    if (places >= 0) {
      return shortest(big(number));
    }
    requireBits(-4L * places);
    return shortest(
        new BigDecimal(big(number)).setScale(places, RoundingMode.HALF_EVEN).toBigInteger());
  }
}
