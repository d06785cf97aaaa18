package dev.anneal.jinja.run;

import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Callable;
import dev.anneal.jinja.python.Printed;
import dev.anneal.jinja.python.Repr;

/**
 * A method of one of Jinja's objects.
 *
 * @param type the name of the object's class in Python
 */
record Method(Object owner, String type, String name, Callable body) implements Callable, Printed {
  @Override
  public Object call(Budget budget, Arguments arguments) {
    return body.call(budget, arguments);
  }

  @Override
  public String printed() {
    return "<bound method " + type + "." + name + " of " + Repr.of(owner) + ">";
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Method method && owner == method.owner && name.equals(method.name);
  }

  @Override
  public int hashCode() {
    return name.hashCode();
  }
}
