package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.List;
import java.util.Map;

/** What a call is given. */
public record Arguments(List<Object> positional, Map<String, Object> named) {
  public static final Arguments NONE = new Arguments(List.of(), Map.of());

  public int size() {
    return positional.size();
  }

  public Object get(int i) {
    return positional.get(i);
  }

  /** Those of a function that takes so many and no names. */
  public Arguments require(String function, int least, int most) {
    requireUnnamed(function);
    if (size() < least || size() > most) {
      throw TemplateException.type(
          function
              + "() takes "
              + (least == most ? "" + least : least + " to " + most)
              + " argument(s), and "
              + size()
              + " are given");
    }
    return this;
  }

  /** Those of a function that takes no names. */
  public Arguments requireUnnamed(String function) {
    if (!named.isEmpty()) {
      throw TemplateException.type(function + "() takes no keyword arguments");
    }
    return this;
  }
}
