package dev.anneal.jinja.python;

import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Python's {@code ==}. */
public final class Equality {
  private Equality() {}

  public static boolean same(Object a, Object b) {
    if (a == b) {
      return !(a instanceof Double number) || !number.isNaN();
    }
    if (a == null || b == null) {
      return false;
    }
    if (a instanceof String text) {
      return b instanceof String ? text.equals(b) : b instanceof Markup m && text.equals(m.text());
    }
    if (Numbers.isNumber(a)) {
      return Numbers.isNumber(b) && Numbers.same(a, b);
    }
    if (a instanceof List<?> list) {
      return b instanceof List<?> other && same(list, other);
    }
    if (a instanceof Tuple tuple) {
      return b instanceof Tuple other && same(tuple.items(), other.items());
    }
    if (a instanceof Map<?, ?> map) {
      return b instanceof Map<?, ?> other && sameMaps(map, other);
    }
    if (a instanceof Markup markup) {
      return Values.isText(b) && markup.text().equals(Repr.str(b));
    }
    if (a instanceof Undefined) {
      return b instanceof Undefined;
    }
    if (a instanceof Range) {
      return a.equals(b);
    }
    if (a instanceof Callable) {
      return a.equals(b);
    }
    return PythonSet.isLike(a) && PythonSet.isLike(b) && sameSets(a, b);
  }

  private static boolean same(List<?> a, List<?> b) {
    if (a.size() != b.size()) {
      return false;
    }
    Iterator<?> others = b.iterator();
    for (Object item : a) {
      Object other = others.next();
      if (item != other && !same(item, other)) {
        return false;
      }
    }
    return true;
  }

  private static boolean sameMaps(Map<?, ?> a, Map<?, ?> b) {
    if (a.size() != b.size()) {
      return false;
    }
    for (Map.Entry<?, ?> entry : a.entrySet()) {
      Object other = Dict.find(b, entry.getKey());
      if (other != entry.getValue() && !same(entry.getValue(), other)) {
        return false;
      }
    }
    return true;
  }

  private static boolean sameSets(Object a, Object b) {
    // Python asks the set for what is in the view
    return Iteration.size(a) == Iteration.size(b)
        && (b instanceof DictView ? PythonSet.isSubset(b, a) : PythonSet.isSubset(a, b));
  }
}
