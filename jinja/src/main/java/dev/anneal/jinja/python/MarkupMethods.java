package dev.anneal.jinja.python;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Methods of texts on {@link Markup}: their arguments are escaped, their results are markup. */
final class MarkupMethods {
  private static final Set<String> ESCAPE_SECOND = Set.of("replace", "ljust", "rjust", "center");

  private MarkupMethods() {}

  static Object call(Budget budget, Markup markup, String name, Arguments arguments) {
    if (name.equals("format") || name.equals("format_map")) {
      return new Markup(StrFormat.escaped(budget, markup.text(), name, arguments));
    }
    Arguments given = arguments;
    if (name.equals("join")) {
      List<Object> escaped = new ArrayList<>();
      for (Object item : Iteration.list(budget, arguments.require(name, 1, 1).get(0))) {
        escaped.add(Markup.escape(item));
      }
      given = new Arguments(List.of(escaped), Map.of());
    } else if (ESCAPE_SECOND.contains(name) && arguments.size() > 1) {
      List<Object> positional = new ArrayList<>(arguments.positional());
      positional.set(1, Markup.escape(positional.get(1)));
      given = new Arguments(positional, arguments.named());
    }
    return marked(StrMethods.call(budget, markup.text(), name, given));
  }

  private static Object marked(Object value) {
    if (value instanceof String text) {
      return new Markup(text);
    }
    if (value instanceof Tuple tuple) {
      return new Tuple(marked(tuple.items()));
    }
    return value instanceof List<?> list ? marked(list) : value;
  }

  private static List<Object> marked(List<?> list) {
    List<Object> items = new ArrayList<>(list.size());
    list.forEach(item -> items.add(marked(item)));
    return items;
  }
}
