package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Turns values into keys that are equal in Java where the values are in Python: 1, 1.0, True. */
public final class Key {
  private static final Object UNDEFINED = new Object();

  private Key() {}

  private record OfTuple(List<Object> items) {}

  /**
   * The key of a value.
   *
   * @throws TemplateException if it cannot be hashed
   */
  public static Object of(Object value) {
    if (value instanceof String || value instanceof Long || value == null) {
      return value;
    }
    if (value instanceof Boolean truth) {
      return truth ? 1L : 0L;
    }
    if (value instanceof Double number) {
      return ofDouble(number);
    }
    if (value instanceof Markup markup) {
      return markup.text();
    }
    if (value instanceof Tuple tuple) {
      List<Object> keys = new ArrayList<>(tuple.size());
      tuple.forEach(item -> keys.add(of(item)));
      return new OfTuple(keys);
    }
    if (value instanceof Undefined) {
      return UNDEFINED;
    }
    if (!isHashable(value)) {
      throw TemplateException.type("unhashable type: '" + Values.typeName(value) + "'");
    }
    return value;
  }

  /** Whether {@link #of} takes it. */
  public static boolean isHashable(Object key) {
    if (key instanceof Tuple tuple) {
      return tuple.items().stream().allMatch(Key::isHashable);
    }
    return !(key instanceof List) && !(key instanceof Map) && !PythonSet.isLike(key);
  }

  private static Object ofDouble(double number) {
    if (number != Math.rint(number) || Double.isInfinite(number)) {
      return number;
    }
    if (Math.abs(number) < 0x1p62) {
      return (long) number;
    }
    BigInteger integer = new BigDecimal(number).toBigInteger();
    return Numbers.shortest(integer);
  }
}
