package dev.anneal.jinja.filter;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Predicate;

/** Those elements of an iterator that pass, one after the other. */
final class Filtered implements Iterator<Object> {
  private final Iterator<?> items;
  private final Predicate<Object> test;
  private boolean found;
  private Object next;

  private Filtered(Iterator<?> items, Predicate<Object> test) {
    this.items = items;
    this.test = test;
  }

  static Iterator<Object> of(Iterator<?> items, Predicate<Object> test) {
    return new Filtered(items, test);
  }

  @Override
  public boolean hasNext() {
    while (!found && items.hasNext()) {
      next = items.next();
      found = test.test(next);
    }
    return found;
  }

  @Override
  public Object next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    found = false;
    return next;
  }
}
