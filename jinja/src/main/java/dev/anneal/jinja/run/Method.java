package dev.anneal.jinja.run;

import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Callable;

/** A function with a name to print. */
record Method(String name, Callable body) implements Callable {
  @Override
  public Object call(Budget budget, Arguments arguments) {
    return body.call(budget, arguments);
  }

  @Override
  public String toString() {
    return "<function " + name + " at 0x7f0000000000>";
  }
}
