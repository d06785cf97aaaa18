package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/** {@code map}, {@code select} and their like, which take other filters and tests by name. */
final class SelectionFilters {
  private SelectionFilters() {}

  static void addTo(Map<String, Function> filters) {
    filters.put("map", SelectionFilters::map);
    filters.put("select", selection(true, false));
    filters.put("reject", selection(false, false));
    filters.put("selectattr", selection(true, true));
    filters.put("rejectattr", selection(false, true));
  }

  private static Object required(Arguments arguments) {
    if (arguments.size() == 0) {
      throw TemplateException.type("the filter lacks its argument 'value'");
    }
    return arguments.get(0);
  }

  private static Object map(Environment environment, Arguments arguments) {
    Object value = required(arguments);
    return Generators.of(
        "sync_do_map",
        () -> {
          if (!Values.truth(value)) {
            return Collections.emptyIterator();
          }
          UnaryOperator<Object> mapping = mapping(environment, arguments);
          Iterator<?> items = Iteration.of(value);
          return new Iterator<Object>() {
            @Override
            public boolean hasNext() {
              return items.hasNext();
            }

            @Override
            public Object next() {
              environment.budget().step();
              return mapping.apply(items.next());
            }
          };
        });
  }

  private static UnaryOperator<Object> mapping(Environment environment, Arguments arguments) {
    if (arguments.size() == 1 && arguments.named().containsKey("attribute")) {
      Map<String, Object> named = new HashMap<>(arguments.named());
      Object attribute = named.remove("attribute");
      Object otherwise = named.remove("default");
      if (!named.isEmpty()) {
        throw Paths.wrong("Unexpected keyword argument " + named.keySet());
      }
      return Paths.getter(attribute, otherwise);
    }
    if (arguments.size() == 1) {
      throw Paths.wrong("map requires a filter argument");
    }
    Object name = arguments.get(1);
    Arguments rest = rest(arguments, 2);
    return item -> applied(environment, function("filter", name), item, rest);
  }

  private static Arguments rest(Arguments arguments, int from) {
    return new Arguments(arguments.positional().subList(from, arguments.size()), arguments.named());
  }

  private static Function function(String kind, Object name) {
    if (name instanceof Undefined undefined) {
      throw undefined.error();
    }
    Function found =
        !Values.isText(name)
            ? null
            : kind.equals("filter") ? Filters.find(Repr.str(name)) : Tests.find(Repr.str(name));
    if (found == null) {
      throw TemplateException.runtime("No " + kind + " named " + Repr.of(name) + ".");
    }
    return found;
  }

  private static Object applied(
      Environment environment, Function function, Object item, Arguments rest) {
    List<Object> positional = new ArrayList<>(rest.size() + 1);
    positional.add(item);
    positional.addAll(rest.positional());
    return function.call(environment, new Arguments(positional, rest.named()));
  }

  private static Function selection(boolean keeps, boolean ofAttribute) {
    String name = "sync_do_" + (keeps ? "select" : "reject") + (ofAttribute ? "attr" : "");
    String generator = name.isEmpty() ? name : "select_or_reject";
    return (environment, arguments) -> {
      Object value = required(arguments);
      return Generators.of(
          generator,
          () -> {
            if (!Values.truth(value)) {
              return Collections.emptyIterator();
            }
            Predicate<Object> test = test(environment, arguments, ofAttribute);
            return Filtered.of(Iteration.of(value), item -> test.test(item) == keeps);
          });
    };
  }

  private static Predicate<Object> test(
      Environment environment, Arguments arguments, boolean ofAttribute) {
    if (ofAttribute && arguments.size() < 2) {
      throw Paths.wrong("Missing parameter for attribute name");
    }
    UnaryOperator<Object> getter =
        ofAttribute ? Paths.getter(arguments.get(1), null) : item -> item;
    int place = ofAttribute ? 2 : 1;
    if (arguments.size() <= place) {
      return item -> {
        environment.budget().step();
        return Values.truth(getter.apply(item));
      };
    }
    Object name = arguments.get(place);
    Arguments rest = rest(arguments, place + 1);
    return item -> {
      environment.budget().step();
      return Values.truth(applied(environment, function("test", name), getter.apply(item), rest));
    };
  }
}
