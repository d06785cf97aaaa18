package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;

/** Methods of mappings, but those that would change them. */
final class DictMethods {
  static final Set<String> CALLABLE = Set.of("get", "keys", "values", "items", "copy", "fromkeys");

  /** All that a mapping has, so that none is taken for a key of it. */
  static final Set<String> NAMES =
      Set.of(
          "get",
          "keys",
          "values",
          "items",
          "copy",
          "fromkeys",
          "clear",
          "pop",
          "popitem",
          "setdefault",
          "update");

  private DictMethods() {}

  static Object call(Budget budget, Map<?, ?> map, String name, Arguments arguments) {
    return switch (name) {
      case "get" -> {
        arguments.require(name, 1, 2);
        Object value = Dict.find(map, arguments.get(0));
        requireHashable(arguments.get(0));
        yield value != Attributes.ABSENT ? value : arguments.size() == 2 ? arguments.get(1) : null;
      }
      case "keys" -> new DictView(only(map, name, arguments), DictView.Part.KEYS);
      case "values" -> new DictView(only(map, name, arguments), DictView.Part.VALUES);
      case "items" -> new DictView(only(map, name, arguments), DictView.Part.ITEMS);
      case "copy" -> {
        only(map, name, arguments);
        budget.elements(map.size());
        Dict copy = new Dict();
        map.forEach(copy::put);
        yield copy;
      }
      case "fromkeys" -> fromKeys(budget, arguments);
      default -> throw TemplateException.type("'dict' object has no method '" + name + "'");
    };
  }

  private static void requireHashable(Object key) {
    if (!(key instanceof String)) {
      Key.of(key);
    }
  }

  private static Map<?, ?> only(Map<?, ?> map, String name, Arguments arguments) {
    arguments.require(name, 0, 0);
    return map;
  }

  static Dict fromKeys(Budget budget, Arguments arguments) {
    arguments.require("fromkeys", 1, 2);
    Dict dict = new Dict();
    Iterator<?> keys = Iteration.of(arguments.get(0));
    while (keys.hasNext()) {
      budget.step();
      dict.put(keys.next(), arguments.size() == 2 ? arguments.get(1) : null);
    }
    return dict;
  }
}
