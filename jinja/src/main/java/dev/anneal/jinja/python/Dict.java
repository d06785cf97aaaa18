package dev.anneal.jinja.python;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** A mapping that a template makes; its keys may be whatever Python hashes. */
public final class Dict extends AbstractMap<Object, Object> {
  private final Map<Object, Map.Entry<Object, Object>> entries = new LinkedHashMap<>();

  @Override
  public Object get(Object key) {
    Map.Entry<Object, Object> entry = entries.get(Key.of(key));
    return entry == null ? null : entry.getValue();
  }

  @Override
  public boolean containsKey(Object key) {
    return entries.containsKey(Key.of(key));
  }

  @Override
  public Object put(Object key, Object value) {
    Object known = Key.of(key);
    Map.Entry<Object, Object> entry = entries.get(known);
    if (entry == null) {
      entries.put(known, new SimpleEntry<>(key, value));
      return null;
    }
    // Python keeps the key that was there first
    return entry.setValue(value);
  }

  @Override
  public int size() {
    return entries.size();
  }

  @Override
  public Set<Entry<Object, Object>> entrySet() {
    return new AbstractSet<>() {
      @Override
      public Iterator<Entry<Object, Object>> iterator() {
        return entries.values().iterator();
      }

      @Override
      public int size() {
        return entries.size();
      }
    };
  }

  /** The value of a key in any mapping; {@link Attributes#ABSENT} if there is none. */
  public static Object find(Map<?, ?> map, Object key) {
    Object known = key;
    if (!(map instanceof Dict) && !(key instanceof String)) {
      // what comes from outside has texts for keys
      known = Key.of(key);
      if (!(known instanceof String)) {
        return Attributes.ABSENT;
      }
    }
    Object value = map.get(known);
    return value == null && !map.containsKey(known) ? Attributes.ABSENT : value;
  }
}
