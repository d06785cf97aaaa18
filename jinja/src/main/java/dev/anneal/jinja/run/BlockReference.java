package dev.anneal.jinja.run;

import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Attributed;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Callable;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Printed;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Undefined;

/** {@code self.name} of a template with blocks. */
final class BlockReference implements Callable, Attributed {
  private final String name;
  private final Run run;
  private final Context context;

  private BlockReference(String name, Run run, Context context) {
    this.name = name;
    this.run = run;
    this.context = context;
  }

  /** The variable {@code self}. */
  record Self(Run run, Context context) implements Attributes.Elements, Printed {
    @Override
    public Object element(Object key) {
      boolean known = key instanceof String name && run.block(name) != null;
      return known ? new BlockReference((String) key, run, context) : Attributes.ABSENT;
    }

    @Override
    public String printed() {
      return "<TemplateReference None>";
    }
  }

  static Undefined noParent(String name) {
    return Undefined.because("there is no parent block called " + Repr.of(name) + ".");
  }

  @Override
  public Object attribute(String attribute) {
    return switch (attribute) {
      case "super" -> noParent(name);
      case "name" -> name;
      default -> Attributes.ABSENT;
    };
  }

  @Override
  public Object call(Budget budget, Arguments arguments) {
    arguments.require("block", 0, 0);
    budget.enter();
    Sink out = new Sink(budget);
    run.block(name).run(run, context, out);
    budget.leave();
    return run.escaping() ? new Markup(out.toString()) : out.toString();
  }
}
