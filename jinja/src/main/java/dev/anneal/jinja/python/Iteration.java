package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Python's {@code iter}, {@code reversed}, {@code list} and {@code len}. */
public final class Iteration {
  private Iteration() {}

  /**
   * The elements of a value.
   *
   * @throws TemplateException if it has none
   */
  public static Iterator<?> of(Object value) {
    if (value instanceof List<?> list) {
      return list.iterator();
    }
    if (value instanceof String text) {
      return Texts.characters(text).iterator();
    }
    if (value instanceof Map<?, ?> map) {
      return map.keySet().iterator();
    }
    if (value instanceof Iterable<?> iterable) {
      return iterable.iterator();
    }
    if (value instanceof Undefined) {
      return Collections.emptyIterator();
    }
    if (value instanceof Markup markup) {
      return Texts.characters(markup.text()).iterator();
    }
    throw TemplateException.type("'" + Values.typeName(value) + "' object is not iterable");
  }

  /** Whether {@link #of} takes it. */
  public static boolean isIterable(Object value) {
    return value instanceof Iterable
        || value instanceof Map
        || value instanceof Undefined
        || Values.isText(value);
  }

  /** A new list of the elements. */
  public static List<Object> list(Budget budget, Object value) {
    List<Object> items = new ArrayList<>();
    if (value instanceof List<?> list) {
      budget.elements(list.size());
      items.addAll(list);
      return items;
    }
    Iterator<?> iterator = of(value);
    while (iterator.hasNext()) {
      items.add(iterator.next());
      if ((items.size() & 0x3ff) == 0) {
        budget.elements(items.size());
      }
      budget.step();
    }
    return items;
  }

  /** The elements from the last to the first; null for what Python's {@code reversed} refuses. */
  public static OneShot reversed(Object value) {
    if (value instanceof List<?> list) {
      return new OneShot("list_reverseiterator", backwards(list));
    }
    if (value instanceof Tuple tuple) {
      return new OneShot("reversed", backwards(tuple.items()));
    }
    if (Values.isText(value)) {
      return new OneShot("reversed", backwards(Texts.characters(Repr.str(value))));
    }
    if (value instanceof Map<?, ?> map) {
      return new OneShot("dict_reversekeyiterator", backwards(new ArrayList<>(map.keySet())));
    }
    if (value instanceof DictView view) {
      List<Object> items = new ArrayList<>();
      view.forEach(items::add);
      String part = Values.typeName(view).substring(5, Values.typeName(view).length() - 1);
      return new OneShot("dict_reverse" + part + "iterator", backwards(items));
    }
    if (value instanceof Range range) {
      List<Object> items = new ArrayList<>();
      range.forEach(items::add);
      return new OneShot("range_iterator", backwards(items));
    }
    return value instanceof Undefined ? new OneShot("reversed", Collections.emptyIterator()) : null;
  }

  private static Iterator<Object> backwards(List<?> list) {
    List<Object> items = new ArrayList<>(list);
    Collections.reverse(items);
    return items.iterator();
  }

  /** Python's {@code len}; -1 for what has none. */
  public static int size(Object value) {
    if (value instanceof String text) {
      return Texts.length(text);
    }
    if (value instanceof List<?> list) {
      return list.size();
    }
    if (value instanceof Map<?, ?> map) {
      return map.size();
    }
    if (value instanceof Sized sized) {
      return sized.size();
    }
    if (value instanceof Markup markup) {
      return Texts.length(markup.text());
    }
    return value instanceof Undefined ? 0 : -1;
  }

  /** Python's {@code len}. */
  public static long length(Object value) {
    int size = size(value);
    if (size < 0) {
      throw TemplateException.type("object of type '" + Values.typeName(value) + "' has no len()");
    }
    return size;
  }
}
