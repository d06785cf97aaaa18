package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** The function {@code dict}. */
public final class Dicts {
  private Dicts() {}

  /** A new mapping of a mapping or of pairs, and of what is named. */
  public static Dict of(Budget budget, Arguments arguments) {
    if (arguments.size() > 1) {
      throw TemplateException.type("dict expected at most 1 argument, got " + arguments.size());
    }
    Dict dict = new Dict();
    if (arguments.size() == 1) {
      putAll(budget, dict, arguments.get(0));
    }
    arguments.named().forEach(dict::put);
    return dict;
  }

  private static void putAll(Budget budget, Dict dict, Object source) {
    if (source instanceof Map<?, ?> map) {
      budget.elements(map.size());
      map.forEach(dict::put);
      return;
    }
    if (source instanceof Undefined undefined) {
      // it is asked for its keys
      throw undefined.error();
    }
    Iterator<?> pairs = Iteration.of(source);
    while (pairs.hasNext()) {
      budget.step();
      List<Object> pair = Iteration.list(budget, pairs.next());
      if (pair.size() != 2) {
        throw TemplateException.value(
            "dictionary update sequence element has length " + pair.size() + "; 2 is required");
      }
      dict.put(pair.get(0), pair.get(1));
    }
  }

  /** The function {@code dict.fromkeys}. */
  public static Dict fromKeys(Budget budget, Arguments arguments) {
    return DictMethods.fromKeys(budget, arguments);
  }
}
