package dev.anneal.jinja.run;

import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.syntax.Expression;
import dev.anneal.jinja.syntax.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Macros, call blocks and what the assistant says: {@code macro_body} of {@code compiler.py}. */
final class MacroCompiler {
  private static final Statement.Parameters NONE = new Statement.Parameters(List.of(), List.of());

  private final Compiler compiler;
  private final ExpressionCompiler expressions;

  MacroCompiler(Compiler compiler, ExpressionCompiler expressions) {
    this.compiler = compiler;
    this.expressions = expressions;
  }

  Action macro(Statement.Macro macro, Scope scope) {
    MacroCode code = code(macro.name(), macro.parameters(), macro.body(), macro, scope);
    Variable variable = compiler.local(scope.symbols().reference(macro.name()));
    boolean known = scope.toplevel();
    return (frame, out) -> {
      Macro value = new Macro(code, frame);
      if (known) {
        frame.context.set(macro.name(), value);
      }
      variable.set(frame, value);
      return Flow.NEXT;
    };
  }

  Action callBlock(Statement.CallBlock block, Scope scope) {
    MacroCode code = code(null, block.parameters(), block.body(), block, scope);
    ExpressionCompiler.CallCode call = expressions.callOfBlock(block.call(), scope);
    return (frame, out) -> {
      Object value = call.value(frame, new Macro(code, frame));
      out.print(StatementCompiler.printable(value));
      return Flow.NEXT;
    };
  }

  Action generation(Statement.Generation generation, Scope scope) {
    compiler.noteGeneration();
    MacroCode code = code(null, NONE, generation.body(), generation, scope);
    return (frame, out) -> {
      String text = new Macro(code, frame).render(frame.run.budget(), Arguments.NONE);
      frame.run.markGeneration(text);
      out.print(text);
      return Flow.NEXT;
    };
  }

  private MacroCode code(
      String name,
      Statement.Parameters parameters,
      List<Statement> body,
      Statement statement,
      Scope scope) {
    Scope inner = scope.inner();
    analyze(parameters, body, inner);
    Set<String> special = NameSearch.undeclared(body, "caller", "kwargs", "varargs");
    List<String> names = parameters.names().stream().map(Expression.Name::name).toList();
    FunctionScope outer = compiler.enterFunction();
    FunctionScope own = compiler.function();
    List<Variable> variables = new ArrayList<>();
    for (String parameter : names) {
      variables.add(compiler.local(inner.symbols().reference(parameter)));
    }
    boolean usesCaller = special.contains("caller");
    if (usesCaller) {
      int explicit = names.indexOf("caller");
      if (explicit < 0) {
        variables.add(compiler.local(inner.symbols().declareParameter("caller")));
      } else if (explicit < names.size() - parameters.defaults().size()) {
        throw Compiler.error(
            "the special \"caller\" argument must be omitted or be given a default", statement);
      }
    }
    boolean usesNamed = declare("kwargs", special, names, inner, variables);
    boolean usesMore = declare("varargs", special, names, inner, variables);
    analyze(parameters, body, inner);
    int loops = compiler.loops();
    compiler.setLoops(0);
    List<Action> actions = new ArrayList<>();
    actions.add(compiler.enter(inner));
    defaults(parameters, names, inner, actions);
    actions.add(compiler.body(body, inner));
    compiler.setLoops(loops);
    compiler.leaveFunction(outer);
    return new MacroCode(
        name, names, variables, usesCaller, usesNamed, usesMore, own, Action.all(actions));
  }

  private static void analyze(Statement.Parameters parameters, List<Statement> body, Scope inner) {
    SymbolVisitor visitor = new SymbolVisitor(inner.symbols());
    visitor.visitAll(parameters.names());
    visitor.visitAll(parameters.defaults());
    visitor.visitAll(body);
  }

  private boolean declare(
      String name, Set<String> special, List<String> names, Scope inner, List<Variable> variables) {
    boolean used = special.contains(name) && !names.contains(name);
    if (used) {
      variables.add(compiler.local(inner.symbols().declareParameter(name)));
    }
    return used;
  }

  private void defaults(
      Statement.Parameters parameters, List<String> names, Scope inner, List<Action> actions) {
    int required = names.size() - parameters.defaults().size();
    for (int i = 0; i < names.size(); i++) {
      String name = names.get(i);
      Variable variable = compiler.local(inner.symbols().reference(name));
      Code value =
          i < required
              ? missing(name)
              : expressions.compile(parameters.defaults().get(i - required), inner);
      actions.add(
          (frame, out) -> {
            if (variable.get(frame) == Attributes.ABSENT) {
              variable.set(frame, value.value(frame));
            }
            return Flow.NEXT;
          });
    }
  }

  private static Code missing(String name) {
    Undefined undefined = Undefined.because("parameter " + Repr.of(name) + " was not provided");
    return frame -> undefined;
  }
}
