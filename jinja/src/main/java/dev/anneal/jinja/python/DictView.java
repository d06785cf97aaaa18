package dev.anneal.jinja.python;

import java.util.Iterator;
import java.util.Map;

/** What {@code keys()}, {@code values()} and {@code items()} of a mapping give. */
public record DictView(Map<?, ?> map, Part part) implements Sized, Iterable<Object> {

  /** Which part of each entry. */
  public enum Part {
    KEYS,
    VALUES,
    ITEMS
  }

  @Override
  public int size() {
    return map.size();
  }

  @Override
  public Iterator<Object> iterator() {
    Iterator<? extends Map.Entry<?, ?>> entries = map.entrySet().iterator();
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return entries.hasNext();
      }

      @Override
      public Object next() {
        Map.Entry<?, ?> entry = entries.next();
        return switch (part) {
          case KEYS -> entry.getKey();
          case VALUES -> entry.getValue();
          case ITEMS -> Tuple.of(entry.getKey(), entry.getValue());
        };
      }
    };
  }

  boolean contains(Object value) {
    return switch (part) {
      case KEYS -> Dict.find(map, value) != Attributes.ABSENT;
      case VALUES -> {
        for (Object other : map.values()) {
          if (Equality.same(value, other)) {
            yield true;
          }
        }
        yield false;
      }
      case ITEMS -> {
        if (!(value instanceof Tuple pair) || pair.size() != 2) {
          yield false;
        }
        Object found = Dict.find(map, pair.items().get(0));
        yield found != Attributes.ABSENT && Equality.same(found, pair.items().get(1));
      }
    };
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
