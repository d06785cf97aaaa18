package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.error.TemplateException.Kind;
import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Attributed;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Callable;
import dev.anneal.jinja.python.Dicts;
import dev.anneal.jinja.python.Range;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Signature;
import java.time.ZonedDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Functions of Jinja and those that transformers adds. */
final class Globals {
  private Globals() {}

  static Map<String, Object> at(ZonedDateTime now) {
    Map<String, Object> globals = new LinkedHashMap<>();
    add(globals, "range", (budget, arguments) -> Range.of(arguments));
    globals.put("dict", new DictFunction());
    add(
        globals,
        "lipsum",
        (budget, arguments) -> {
          throw TemplateException.runtime("there is no random text for templates");
        });
    add(globals, "cycler", Cycler::of);
    add(globals, "joiner", Joiner::of);
    add(globals, "namespace", Namespace::of);
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
    globals.put(name, new Method(name, body));
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
          ? new Method(name, (budget, arguments) -> Dicts.fromKeys(budget, arguments))
          : Attributes.ABSENT;
    }

    @Override
    public String toString() {
      return "<TemplateDict object at 0x7f0000000000>";
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
        case "items" -> new dev.anneal.jinja.python.Tuple(items);
        case "pos" -> (long) position;
        case "current" -> items.get(position);
        case "next" -> new Method(name, this::next);
        case "reset" -> new Method(name, this::reset);
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

    @Override
    public String toString() {
      return "<jinja2.utils.Cycler object at 0x7f0000000000>";
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

    @Override
    public String toString() {
      return "<jinja2.utils.Joiner object at 0x7f0000000000>";
    }
  }
}
