package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.error.TemplateException.Kind;
import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Attributed;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Dict;
import dev.anneal.jinja.python.Dicts;
import dev.anneal.jinja.python.Printed;
import dev.anneal.jinja.python.Repr;

/** What {@code namespace()} makes: the only thing whose attributes a template sets. */
final class Namespace implements Attributed, Printed {
  private final Dict attributes;

  private Namespace(Dict attributes) {
    this.attributes = attributes;
  }

  static Object of(Budget budget, Arguments arguments) {
    Dict attributes = Dicts.of(budget, arguments);
    attributes.keySet().forEach(Namespace::requirePublic);
    return new Namespace(attributes);
  }

  // transformers allows no others
  private static void requirePublic(Object name) {
    if (name instanceof String text && text.startsWith("_")) {
      throw new TemplateException(
          Kind.SECURITY,
          "chat templates cannot store underscore-prefixed attributes on a namespace, but got "
              + Repr.of(name));
    }
  }

  @Override
  public Object attribute(String name) {
    return Dict.find(attributes, name);
  }

  void set(String name, Object value) {
    requirePublic(name);
    attributes.put(name, value);
  }

  @Override
  public String printed() {
    return "<Namespace " + Repr.of(attributes) + ">";
  }

  @Override
  public boolean equals(Object other) {
    return this == other;
  }

  @Override
  public int hashCode() {
    return System.identityHashCode(this);
  }
}
