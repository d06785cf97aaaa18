package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.error.TemplateException.Kind;
import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Attributed;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Callable;
import dev.anneal.jinja.python.Dicts;
import dev.anneal.jinja.python.Printed;
import dev.anneal.jinja.python.Range;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Signature;
import dev.anneal.jinja.python.Tuple;
import java.time.ZonedDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Functions of Jinja and those that transformers adds. */
final class Globals {
  /** The class by which transformers replaces Jinja's. */
  private static final String NAMESPACE =
      "transformers.utils.chat_template_utils._cached_compile_jinja_template.<locals>.TemplateNamespace";

  private Globals() {}

  static Map<String, Object> at(ZonedDateTime now) {
    Map<String, Object> globals = new LinkedHashMap<>();
    add(globals, "range", (budget, arguments) -> Range.of(arguments));
    globals.put("dict", new DictFunction());
    add(
        globals,
        "lipsum",
        (budget, arguments) -> {
          throw TemplateException.unsupported(
              "lipsum makes another text each time, and a data set is to be the same each time");
        });
    globals.put(
        "cycler", new Type("jinja2.utils.Cycler", Set.of("current", "next", "reset"), Cycler::of));
    globals.put("joiner", new Type("jinja2.utils.Joiner", Set.of(), Joiner::of));
    globals.put("namespace", new Type(NAMESPACE, Set.of(), Namespace::of));
    Signature message = Signature.of("raise_exception", "message");
    add(
        globals,
        "raise_exception",
        (budget, arguments) -> {
          throw new TemplateException(Kind.RAISED, Repr.str(message.bind(arguments)[0]));
        });
    Signature format = Signature.of("strftime_now", "format");
    add(
        globals,
        "strftime_now",
        (budget, arguments) -> Strftime.format(format.bind(arguments)[0], now));
    return globals;
  }

  private static void add(Map<String, Object> globals, String name, Callable body) {
    globals.put(name, new Function(body));
  }

  /** A function. */
  private record Function(Callable body) implements Callable {
    @Override
    public Object call(Budget budget, Arguments arguments) {
      return body.call(budget, arguments);
    }
  }

  /**
   * A class whose call makes an object.
   *
   * @param members what its objects have and the class too
   */
  private record Type(String name, Set<String> members, Callable body)
      implements Callable, Attributed, Printed {
    @Override
    public Object call(Budget budget, Arguments arguments) {
      return body.call(budget, arguments);
    }

    @Override
    public Object attribute(String member) {
      if (members.contains(member)) {
        throw TemplateException.unsupported(
            "'" + member + "' is there for templates once " + name + " is called");
      }
      return Attributes.ABSENT;
    }

    @Override
    public String printed() {
      return "<class '" + name + "'>";
    }
  }

  /** {@code dict}, of which transformers leaves the call and {@code fromkeys}. */
  private static final class DictFunction implements Callable, Attributed {
    @Override
    public Object call(Budget budget, Arguments arguments) {
      return Dicts.of(budget, arguments);
    }

    @Override
    public Object attribute(String name) {
      return name.equals("fromkeys")
          ? new Method(this, "TemplateDict", name, Dicts::fromKeys)
          : Attributes.ABSENT;
    }
  }

  /** {@code cycler()}: gives its elements in turn. */
  private static final class Cycler implements Attributed {
    private final List<Object> items;
    private int position;

    private Cycler(List<Object> items) {
      this.items = items;
    }

    static Object of(Budget budget, Arguments arguments) {
      arguments.requireUnnamed("cycler");
      if (arguments.size() == 0) {
        throw TemplateException.runtime("at least one item has to be provided");
      }
      return new Cycler(arguments.positional());
    }

    @Override
    public Object attribute(String name) {
      return switch (name) {
        case "items" -> new Tuple(items);
        case "pos" -> (long) position;
        case "current" -> items.get(position);
        case "next" -> new Method(this, "Cycler", name, this::next);
        case "reset" -> new Method(this, "Cycler", name, this::reset);
        default -> Attributes.ABSENT;
      };
    }

    private Object next(Budget budget, Arguments arguments) {
      arguments.require("next", 0, 0);
      Object item = items.get(position);
      position = (position + 1) % items.size();
      return item;
    }

    private Object reset(Budget budget, Arguments arguments) {
      arguments.require("reset", 0, 0);
      position = 0;
      return null;
    }
  }

  /** {@code joiner()}: nothing at first, then its separator. */
  private static final class Joiner implements Callable, Attributed {
    private static final Signature SIGNATURE = Signature.of("joiner").optional("sep", ", ");

    private final Object separator;
    private boolean used;

    private Joiner(Object separator) {
      this.separator = separator;
    }

    static Object of(Budget budget, Arguments arguments) {
      return new Joiner(SIGNATURE.bind(arguments)[0]);
    }

    @Override
    public Object call(Budget budget, Arguments arguments) {
      arguments.require("joiner", 0, 0);
      boolean first = !used;
      used = true;
      return first ? "" : separator;
    }

    @Override
    public Object attribute(String name) {
      return switch (name) {
        case "sep" -> separator;
        case "used" -> used;
        default -> Attributes.ABSENT;
      };
    }
  }
}
