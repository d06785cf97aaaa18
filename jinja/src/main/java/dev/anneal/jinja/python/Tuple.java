package dev.anneal.jinja.python;

import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;

/** Python's tuple. */
public class Tuple implements Sized, Iterable<Object> {
  private final List<Object> items;

  public Tuple(List<?> items) {
    this.items = Collections.unmodifiableList(items);
  }

  public static Tuple of(Object... items) {
    return new Tuple(Arrays.asList(items));
  }

  public List<Object> items() {
    return items;
  }

  @Override
  public int size() {
    return items.size();
  }

  @Override
  public Iterator<Object> iterator() {
    return items.iterator();
  }
}
