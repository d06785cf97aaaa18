package dev.anneal.jinja.run;

import dev.anneal.jinja.python.Attributes;
import java.util.HashMap;
import java.util.Map;

/** Variables by name: those given to the template, and those that it sets at its top level. */
final class Context {
  private final Map<String, ?> globals;
  private final Map<String, ?> given;
  private final Map<String, Object> set = new HashMap<>();

  Context(Map<String, ?> globals, Map<String, ?> given) {
    this.globals = globals;
    this.given = given;
  }

  /** The value; {@link Attributes#ABSENT} if there is none. */
  Object resolve(String name) {
    Object value = set.get(name);
    if (value != null || set.containsKey(name)) {
      return value;
    }
    value = given.get(name);
    if (value != null || given.containsKey(name)) {
      return value;
    }
    value = globals.get(name);
    return value == null ? Attributes.ABSENT : value;
  }

  void set(String name, Object value) {
    set.put(name, value);
  }

  /** The same variables and more, for a block. */
  Context with(Map<String, Object> more) {
    Map<String, Object> all = new HashMap<>(given);
    all.putAll(set);
    more.forEach(
        (name, value) -> {
          if (value != Attributes.ABSENT) {
            all.put(name, value);
          }
        });
    return new Context(globals, all);
  }
}
