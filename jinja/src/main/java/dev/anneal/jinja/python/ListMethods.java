package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.ArrayList;
import java.util.List;

/** Methods of lists, tuples and ranges, but those that would change them. */
final class ListMethods {
  private ListMethods() {}

  static boolean has(Object object, String name) {
    return name.equals("index")
        || name.equals("count")
        || (name.equals("copy") && object instanceof List);
  }

  static Object call(Object object, String name, Arguments arguments) {
    List<?> items = items(object);
    return switch (name) {
      case "index" -> index(object, items, arguments);
      case "count" -> {
        arguments.require(name, 1, 1);
        yield items.stream().filter(item -> isSame(item, arguments.get(0))).count();
      }
      default -> {
        arguments.require(name, 0, 0);
        yield new ArrayList<>(items);
      }
    };
  }

  private static boolean isSame(Object item, Object other) {
    return item == other || Equality.same(item, other);
  }

  private static List<?> items(Object object) {
    if (object instanceof Tuple tuple) {
      return tuple.items();
    }
    if (object instanceof Range range) {
      List<Object> items = new ArrayList<>(range.size());
      range.forEach(items::add);
      return items;
    }
    return (List<?>) object;
  }

  private static Object index(Object object, List<?> items, Arguments arguments) {
    arguments.require("index", 1, object instanceof Range ? 1 : 3);
    int start = bound(arguments, 1, 0, items.size());
    int stop = bound(arguments, 2, items.size(), items.size());
    for (int i = start; i < stop; i++) {
      if (isSame(items.get(i), arguments.get(0))) {
        return (long) i;
      }
    }
    throw TemplateException.value(Repr.of(arguments.get(0)) + " is not in the list");
  }

  static int bound(Arguments arguments, int place, int absent, int size) {
    if (arguments.size() <= place) {
      return absent;
    }
    int index = Numbers.size(arguments.get(place));
    return Math.max(0, Math.min(size, index < 0 ? index + size : index));
  }
}
