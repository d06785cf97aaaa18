package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;

/** Python's {@code is}. */
public final class Identity {
  private static final long LEAST_SHARED = -5;
  private static final long MOST_SHARED = 256;

  private Identity() {}

  /**
   * Whether two values are one object.
   *
   * @throws TemplateException if that depends on where Python has made two equal ones anew
   */
  public static boolean isSame(Object a, Object b) {
    if (a == null || b == null || a instanceof Boolean || b instanceof Boolean) {
      return a == b || (a instanceof Boolean && a.equals(b));
    }
    if (!isValue(a) || !isValue(b)) {
      return a == b;
    }
    if (!Values.typeName(a).equals(Values.typeName(b)) || !Equality.same(a, b)) {
      return false;
    }
    if (isShared(a)) {
      return true;
    }
    throw TemplateException.unsupported(
        "whether two equal values of the type "
            + Values.typeName(a)
            + " are one object depends on Python's memory: compare them with ==");
  }

  /** Whether Python and this engine may differ in when they make a new one. */
  private static boolean isValue(Object value) {
    return Numbers.isNumber(value) || Values.isText(value) || value instanceof Tuple;
  }

  // there is only one of each in a process
  private static boolean isShared(Object value) {
    return value instanceof Long number
        ? number >= LEAST_SHARED && number <= MOST_SHARED
        : value instanceof String text
            && (text.isEmpty() || (text.length() == 1 && text.charAt(0) < 0x100));
  }
}
