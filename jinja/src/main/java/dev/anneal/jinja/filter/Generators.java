package dev.anneal.jinja.filter;

import dev.anneal.jinja.python.OneShot;
import java.util.Iterator;
import java.util.function.Supplier;

/** Filters that do nothing until their elements are asked for, as Python's generators. */
final class Generators {
  private Generators() {}

  static OneShot of(String name, Supplier<Iterator<?>> elements) {
    return new OneShot(
        "generator object " + name,
        new Iterator<>() {
          private Iterator<?> iterator;

          @Override
          public boolean hasNext() {
            if (iterator == null) {
              iterator = elements.get();
            }
            return iterator.hasNext();
          }

          @Override
          public Object next() {
            hasNext();
            return iterator.next();
          }
        });
  }
}
