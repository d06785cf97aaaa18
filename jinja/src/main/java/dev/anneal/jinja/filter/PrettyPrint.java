package dev.anneal.jinja.filter;

import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Repr;

/** {@code pprint}. */
final class PrettyPrint {
  private PrettyPrint() {}

  static String of(Budget budget, Object value) {
    budget.step();
    return Repr.of(value);
  }
}
