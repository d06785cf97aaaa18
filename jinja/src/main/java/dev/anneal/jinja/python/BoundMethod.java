package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.util.List;
import java.util.Map;

/** A method of a value, not called yet. */
public record BoundMethod(Object object, String name) implements Callable, Printed {

  @Override
  public Object call(Budget budget, Arguments arguments) {
    return call(budget, object, name, arguments);
  }

  /** Calls a method that is there. */
  static Object call(Budget budget, Object object, String name, Arguments arguments) {
    budget.step();
    if (object instanceof String text) {
      return StrMethods.call(budget, text, name, arguments);
    }
    if (object instanceof Markup markup) {
      return MarkupMethods.call(budget, markup, name, arguments);
    }
    if (object instanceof Map<?, ?> map) {
      return DictMethods.call(budget, map, name, arguments);
    }
    if (object instanceof List || object instanceof Tuple || object instanceof Range) {
      return ListMethods.call(object, name, arguments);
    }
    return NumberMethods.call(object, name, arguments);
  }

  /**
   * {@code object.name(arguments)} for what has methods of Python; absent if it is another call.
   */
  public static Object callDirect(Budget budget, Object object, String name, Arguments arguments) {
    if (object instanceof String text && StrMethods.NAMES.contains(name)) {
      budget.step();
      return StrMethods.call(budget, text, name, arguments);
    }
    if (object instanceof Map<?, ?> map && DictMethods.CALLABLE.contains(name)) {
      budget.step();
      return DictMethods.call(budget, map, name, arguments);
    }
    return Attributes.ABSENT;
  }

  /** Whether the sandbox makes one of its own each time. */
  private boolean isFormat() {
    return Values.isText(object) && name.startsWith("format");
  }

  /** Of the same object, not of an equal one. */
  @Override
  public boolean equals(Object other) {
    if (this == other || isFormat()) {
      return this == other;
    }
    return other instanceof BoundMethod method
        && name.equals(method.name)
        && Identity.isSame(object, method.object);
  }

  @Override
  public int hashCode() {
    return name.hashCode();
  }

  @Override
  public String printed() {
    if (object instanceof Markup && !isFormat()) {
      return "<bound method Markup." + name + " of " + Repr.of(object) + ">";
    }
    throw TemplateException.unsupported(
        "Python prints the method '"
            + name
            + "' with the place where it lies in memory, which is another one each time");
  }
}
