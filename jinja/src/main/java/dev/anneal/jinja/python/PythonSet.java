package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Python's set, which templates get as the difference of views of mappings. Several elements are
 * given to nobody who could tell their order, which is another one in each process of Python.
 */
public final class PythonSet implements Sized, Iterable<Object> {
  private final Map<Object, Object> elements = new LinkedHashMap<>();

  private PythonSet() {}

  /** Python's {@code a - b} where one of them is a view of keys or items, or both are sets. */
  static PythonSet difference(Budget budget, Object a, Object b) {
    PythonSet difference = new PythonSet();
    for (Object element : unordered(budget, a)) {
      difference.elements.putIfAbsent(Key.of(element), element);
    }
    for (Object element : unordered(budget, b)) {
      difference.elements.remove(Key.of(element));
    }
    return difference;
  }

  /** The elements of any value, for what does not depend on their order. */
  public static List<Object> unordered(Budget budget, Object value) {
    return value instanceof PythonSet set
        ? new ArrayList<>(set.elements.values())
        : Iteration.list(budget, value);
  }

  /** Whether it is compared as a set: a set, or a view of keys or items. */
  static boolean isLike(Object value) {
    return value instanceof PythonSet
        || (value instanceof DictView view && view.part() != DictView.Part.VALUES);
  }

  /** Whether all elements of {@code a} are in {@code b}, both being like sets. */
  static boolean isSubset(Object a, Object b) {
    Iterable<?> items = a instanceof PythonSet set ? set.elements.values() : (Iterable<?>) a;
    for (Object item : items) {
      if (!Operators.contains(b, item)) {
        return false;
      }
    }
    return true;
  }

  boolean contains(Object value) {
    // Python looks for a set as for a frozen one, and there are none
    return !(value instanceof PythonSet) && elements.containsKey(Key.of(value));
  }

  @Override
  public int size() {
    return elements.size();
  }

  /**
   * The element, if there are not several.
   *
   * @throws TemplateException if there are
   */
  @Override
  public Iterator<Object> iterator() {
    requireOrder(size() < 2);
    return elements.values().iterator();
  }

  /**
   * Refuses to give elements in an order that nothing determines.
   *
   * @throws TemplateException if it is not determined
   */
  public static void requireOrder(boolean determined) {
    if (!determined) {
      throw TemplateException.unsupported(
          "Python gives the elements of a set in another order each time: sort them");
    }
  }
}
