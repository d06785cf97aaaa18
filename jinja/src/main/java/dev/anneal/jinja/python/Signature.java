package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** The parameters of a function, with which arguments become an array. */
public final class Signature {
  private static final Object REQUIRED = new Object();

  private final String function;
  private final List<String> names = new ArrayList<>();
  private final List<Object> defaults = new ArrayList<>();

  private Signature(String function) {
    this.function = function;
  }

  /** A function with parameters that must be given. */
  public static Signature of(String function, String... required) {
    Signature signature = new Signature(function);
    signature.names.addAll(Arrays.asList(required));
    signature.names.forEach(name -> signature.defaults.add(REQUIRED));
    return signature;
  }

  /** With one more parameter, which need not be given. */
  public Signature optional(String name, Object value) {
    names.add(name);
    defaults.add(value);
    return this;
  }

  /** A value for each parameter. */
  public Object[] bind(Arguments arguments) {
    int given = arguments.size();
    if (given > names.size()) {
      throw TemplateException.type(
          function + "() takes " + names.size() + " arguments, and " + given + " are given");
    }
    Object[] values = new Object[names.size()];
    for (int i = 0; i < given; i++) {
      values[i] = arguments.get(i);
    }
    Map<String, Object> named = arguments.named();
    int used = 0;
    for (int i = given; i < values.length; i++) {
      String name = names.get(i);
      if (!named.isEmpty() && named.containsKey(name)) {
        values[i] = named.get(name);
        used++;
      } else if (defaults.get(i) == REQUIRED) {
        throw TemplateException.type(function + "() lacks its argument '" + name + "'");
      } else {
        values[i] = defaults.get(i);
      }
    }
    if (used < named.size()) {
      throw unexpected(named, given);
    }
    return values;
  }

  private TemplateException unexpected(Map<String, Object> named, int given) {
    for (String name : named.keySet()) {
      int place = names.indexOf(name);
      if (place < 0) {
        return TemplateException.type(function + "() has no argument '" + name + "'");
      }
      if (place < given) {
        return TemplateException.type(function + "() is given '" + name + "' twice");
      }
    }
    throw new IllegalStateException("every name is known");
  }
}
