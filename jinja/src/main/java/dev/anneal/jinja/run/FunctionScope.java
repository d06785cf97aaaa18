package dev.anneal.jinja.run;

import java.util.HashMap;
import java.util.Map;

/** A function of the compiled template with its local variables. */
final class FunctionScope {
  private final FunctionScope outer;
  private final Map<String, Integer> slots = new HashMap<>();

  FunctionScope(FunctionScope outer) {
    this.outer = outer;
  }

  FunctionScope outer() {
    return outer;
  }

  /** Makes the identifier a local variable, as an assignment does in Python. */
  void assign(String identifier) {
    slots.computeIfAbsent(identifier, any -> slots.size());
  }

  /** The slot of a local variable; null if it is none. */
  Integer slot(String identifier) {
    return slots.get(identifier);
  }

  int size() {
    return slots.size();
  }
}
