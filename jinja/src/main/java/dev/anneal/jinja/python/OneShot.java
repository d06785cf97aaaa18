package dev.anneal.jinja.python;

import java.util.Iterator;

/**
 * A generator or an iterator: it gives each of its elements once.
 *
 * @param type Python's name for it, for printing
 */
public record OneShot(String type, Iterator<Object> iterator) implements Iterable<Object> {
  boolean isGenerator() {
    return type.startsWith("generator");
  }

  @Override
  public boolean equals(Object other) {
    return this == other;
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(this);
  }
}
