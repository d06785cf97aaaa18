package dev.anneal.jinja.python;

import java.util.List;
import java.util.Map;

/** A method of a value, not called yet. */
public record BoundMethod(Object object, String name) implements Callable {

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

  @Override
  public boolean equals(Object other) {
    return this == other;
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(this);
  }

  @Override
  public String toString() {
    if (name.startsWith("format")) {
      // the sandbox has its own
      return "<function str." + name + " at 0x7f0000000000>";
    }
    if (object instanceof Markup) {
      return "<bound method Markup." + name + " of " + Repr.of(object) + ">";
    }
    return "<built-in method "
        + name
        + " of "
        + Values.typeName(object)
        + " object at 0x7f0000000000>";
  }
}
