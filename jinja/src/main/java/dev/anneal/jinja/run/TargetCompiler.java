package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.syntax.Expression;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What values are put into. */
final class TargetCompiler {
  private final Compiler compiler;

  TargetCompiler(Compiler compiler) {
    this.compiler = compiler;
  }

  /** A target, ready to be set. */
  interface Target {
    void set(Frame frame, Object value);
  }

  Target compile(Expression target, Scope scope) {
    if (target instanceof Expression.Name name) {
      if (name.use() == Expression.Use.STORE) {
        compiler.noteAssignment(name.name(), scope);
      }
      return compiler.local(scope.symbols().reference(name.name()))::set;
    }
    if (target instanceof Expression.NamespaceRef reference) {
      Variable namespace = compiler.use(scope.symbols().reference(reference.name()));
      return (frame, value) -> ((Namespace) namespace.get(frame)).set(reference.attribute(), value);
    }
    List<Target> parts = new ArrayList<>();
    ((Expression.TupleLiteral) target).items().forEach(item -> parts.add(compile(item, scope)));
    return tuple(parts.toArray(new Target[0]));
  }

  private static Target tuple(Target[] parts) {
    return (frame, value) -> {
      Iterator<?> values = Iteration.of(value);
      List<Object> taken = new ArrayList<>(parts.length);
      while (values.hasNext() && taken.size() < parts.length) {
        taken.add(values.next());
      }
      if (taken.size() < parts.length || values.hasNext()) {
        throw TemplateException.value(
            (values.hasNext() ? "too many values" : "not enough values")
                + " to unpack (expected "
                + parts.length
                + ")");
      }
      for (int i = 0; i < parts.length; i++) {
        parts[i].set(frame, taken.get(i));
      }
    };
  }

  /** Makes sure that attributes are set of namespaces only. */
  Action requireNamespaces(Expression target, Scope scope) {
    Set<String> names = new LinkedHashSet<>();
    collect(target, names);
    List<Action> checks = new ArrayList<>();
    for (String name : names) {
      Variable namespace = compiler.use(scope.symbols().reference(name));
      checks.add(
          (frame, out) -> {
            if (!(namespace.get(frame) instanceof Namespace)) {
              throw TemplateException.runtime("cannot assign attribute on non-namespace object");
            }
            return Flow.NEXT;
          });
    }
    return Action.all(checks);
  }

  private static void collect(Expression target, Set<String> names) {
    if (target instanceof Expression.NamespaceRef reference) {
      names.add(reference.name());
    } else if (target instanceof Expression.TupleLiteral tuple) {
      tuple.items().forEach(item -> collect(item, names));
    }
  }
}
