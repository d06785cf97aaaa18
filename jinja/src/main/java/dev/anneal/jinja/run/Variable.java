package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;

/** A use of a variable in a function, which may be one of a function around it. */
final class Variable {
  private final String identifier;
  private final FunctionScope function;
  private int hops;
  private int slot = -1;

  Variable(String identifier, FunctionScope function) {
    this.identifier = identifier;
    this.function = function;
  }

  /** Finds the slot, once all assignments are known. */
  void resolve() {
    int distance = 0;
    for (FunctionScope scope = function; scope != null; scope = scope.outer()) {
      Integer found = scope.slot(identifier);
      if (found != null) {
        hops = distance;
        slot = found;
        return;
      }
      distance++;
    }
  }

  Object get(Frame frame) {
    Frame owner = frame;
    for (int i = hops; i > 0; i--) {
      owner = owner.outer;
    }
    Object value = slot < 0 ? Frame.UNBOUND : owner.slots[slot];
    if (value == Frame.UNBOUND) {
      throw TemplateException.runtime(
          "a variable is used where it has no value yet ("
              + identifier.substring(identifier.indexOf('_', 2) + 1)
              + ")");
    }
    return value;
  }

  void set(Frame frame, Object value) {
    frame.slots[slot] = value;
  }
}
