package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Attributed;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Callable;
import dev.anneal.jinja.python.Equality;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Printed;
import dev.anneal.jinja.python.Sized;
import dev.anneal.jinja.python.Tuple;
import dev.anneal.jinja.python.Undefined;
import java.util.Iterator;
import java.util.List;

/** The variable {@code loop}: {@code LoopContext} of {@code runtime.py}. */
final class Loop implements Attributed, Callable, Printed, Sized, Iterable<Object> {
  private final Budget budget;
  private final int knownSize;
  private final Recursion recursion;
  private final int depth;
  private Iterator<?> iterator;
  private long index = -1;
  private int size = -1;
  private Object before = Attributes.ABSENT;
  private Object current = Attributes.ABSENT;
  private Object after = Attributes.ABSENT;
  private Object lastChanged = Attributes.ABSENT;

  Loop(Budget budget, Object iterable, Iterator<?> iterator, Recursion recursion, int depth) {
    this.budget = budget;
    this.knownSize = Iteration.size(iterable);
    this.iterator = iterator;
    this.recursion = recursion;
    this.depth = depth;
  }

  boolean hasNext() {
    return after != Attributes.ABSENT || iterator.hasNext();
  }

  Object next() {
    Object next = after != Attributes.ABSENT ? after : iterator.next();
    after = Attributes.ABSENT;
    index++;
    before = current;
    current = next;
    return next;
  }

  private Object peek() {
    if (after == Attributes.ABSENT && iterator.hasNext()) {
      after = iterator.next();
    }
    return after;
  }

  @Override
  public int size() {
    if (size < 0) {
      if (knownSize >= 0) {
        size = knownSize;
      } else {
        List<Object> rest = Iteration.list(budget, (Iterable<Object>) this::rest);
        iterator = rest.iterator();
        size = rest.size() + (int) index + 1 + (after == Attributes.ABSENT ? 0 : 1);
      }
    }
    return size;
  }

  @SuppressWarnings("unchecked")
  private Iterator<Object> rest() {
    return (Iterator<Object>) iterator;
  }

  @Override
  public Object attribute(String name) {
    return switch (name) {
      case "index" -> index + 1;
      case "index0" -> index;
      case "revindex" -> size() - index;
      case "revindex0" -> size() - index - 1;
      case "first" -> index == 0;
      case "last" -> peek() == Attributes.ABSENT;
      case "length" -> (long) size();
      case "depth" -> depth + 1L;
      case "depth0" -> (long) depth;
      case "previtem" -> index == 0 ? Undefined.because("there is no previous item") : before;
      case "nextitem" ->
          peek() == Attributes.ABSENT ? Undefined.because("there is no next item") : after;
      case "cycle" -> new Method(this, "LoopContext", "cycle", this::cycle);
      case "changed" -> new Method(this, "LoopContext", "changed", this::changed);
      default -> Attributes.ABSENT;
    };
  }

  private Object cycle(Budget anyBudget, Arguments arguments) {
    arguments.requireUnnamed("cycle");
    if (arguments.size() == 0) {
      throw TemplateException.type("no items for cycling given");
    }
    return arguments.get((int) (index % arguments.size()));
  }

  private Object changed(Budget anyBudget, Arguments arguments) {
    Tuple value = new Tuple(arguments.requireUnnamed("changed").positional());
    if (lastChanged != Attributes.ABSENT && Equality.same(lastChanged, value)) {
      return false;
    }
    lastChanged = value;
    return true;
  }

  @Override
  public Object call(Budget anyBudget, Arguments arguments) {
    if (recursion == null) {
      throw TemplateException.type(
          "The loop must have the 'recursive' marker to be called recursively.");
    }
    if (arguments.size() + arguments.named().size() != 1
        || (arguments.size() == 0 && !arguments.named().containsKey("iterable"))) {
      throw TemplateException.type("loop() takes one argument");
    }
    Object iterable = arguments.size() == 1 ? arguments.get(0) : arguments.named().get("iterable");
    return recursion.render(iterable, depth + 1);
  }

  @Override
  public Iterator<Object> iterator() {
    Loop loop = this;
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return loop.hasNext();
      }

      @Override
      public Object next() {
        return Tuple.of(loop.next(), loop);
      }
    };
  }

  @Override
  public String printed() {
    return "<LoopContext " + (index + 1) + "/" + size() + ">";
  }

  /** Renders a recursive loop for the elements below. */
  interface Recursion {
    Object render(Object iterable, int depth);
  }
}
