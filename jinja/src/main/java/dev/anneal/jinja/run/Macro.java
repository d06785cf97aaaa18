package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Attributed;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Callable;
import dev.anneal.jinja.python.Dict;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Printed;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Tuple;
import dev.anneal.jinja.python.Undefined;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A macro with the variables around it: {@code Macro} of {@code runtime.py}. */
final class Macro implements Callable, Attributed, Printed {
  private static final String CALLER = "caller";

  private final MacroCode code;
  private final Frame outer;

  Macro(MacroCode code, Frame outer) {
    this.code = code;
    this.outer = outer;
  }

  @Override
  public Object call(Budget budget, Arguments arguments) {
    String text = render(budget, arguments);
    return outer.run.escaping() ? new Markup(text) : text;
  }

  String render(Budget budget, Arguments arguments) {
    List<Object> values = bound(arguments);
    if (values.size() > code.variables().size()) {
      throw TemplateException.type("the macro's caller is given twice");
    }
    budget.enter();
    String text = code.run(outer, values);
    budget.leave();
    return text;
  }

  private List<Object> bound(Arguments arguments) {
    List<String> names = code.names();
    Map<String, Object> named = new LinkedHashMap<>(arguments.named());
    int given = Math.min(arguments.size(), names.size());
    List<Object> values = new ArrayList<>(arguments.positional().subList(0, given));
    boolean foundCaller = given == names.size() && names.contains(CALLER);
    for (String name : names.subList(given, names.size())) {
      values.add(named.containsKey(name) ? named.remove(name) : Attributes.ABSENT);
      foundCaller |= name.equals(CALLER);
    }
    if (code.usesCaller() && !foundCaller) {
      Object caller = named.remove(CALLER);
      values.add(caller == null ? Undefined.because("No caller defined") : caller);
    }
    if (code.usesNamed()) {
      Dict rest = new Dict();
      rest.putAll(named);
      values.add(rest);
    } else if (!named.isEmpty()) {
      throw TemplateException.type(
          "macro "
              + Repr.of(code.name())
              + " takes no keyword argument "
              + Repr.of(named.keySet().iterator().next()));
    }
    List<Object> more = arguments.positional().subList(given, arguments.size());
    if (code.usesMore()) {
      values.add(new Tuple(more));
    } else if (!more.isEmpty()) {
      throw TemplateException.type(
          "macro "
              + Repr.of(code.name())
              + " takes not more than "
              + names.size()
              + " argument(s)");
    }
    return values;
  }

  @Override
  public Object attribute(String name) {
    return switch (name) {
      case "name" -> code.name();
      case "arguments" -> new Tuple(code.names());
      case "catch_kwargs" -> code.usesNamed();
      case "catch_varargs" -> code.usesMore();
      case CALLER -> code.usesCaller();
      case "explicit_caller" -> code.names().contains(CALLER);
      default -> Attributes.ABSENT;
    };
  }

  @Override
  public String printed() {
    return code.name() == null ? "<Macro anonymous>" : "<Macro " + Repr.of(code.name()) + ">";
  }
}
