package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Values;
import dev.anneal.jinja.syntax.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Statements, but loops and macros. */
final class StatementCompiler {
  private final Compiler compiler;
  private final ExpressionCompiler expressions;
  private final TargetCompiler targets;
  private final OutputCompiler output;
  private final LoopCompiler loops;
  private final MacroCompiler macros;

  StatementCompiler(Compiler compiler) {
    this.compiler = compiler;
    this.expressions = new ExpressionCompiler(compiler);
    this.targets = new TargetCompiler(compiler);
    this.output = new OutputCompiler(compiler, expressions);
    this.loops = new LoopCompiler(compiler, expressions, targets);
    this.macros = new MacroCompiler(compiler, expressions);
  }

  Action compile(Statement statement, Scope scope) {
    if (statement instanceof Statement.Output printed) {
      return output.compile(printed, scope);
    }
    return Located.action(inner(statement, scope), statement.at());
  }

  private Action inner(Statement statement, Scope scope) {
    if (statement instanceof Statement.If condition) {
      return condition(condition, scope);
    }
    if (statement instanceof Statement.For loop) {
      return loops.compile(loop, scope);
    }
    if (statement instanceof Statement.Assign assign) {
      return assign(assign, scope);
    }
    if (statement instanceof Statement.AssignBlock block) {
      return assignBlock(block, scope);
    }
    if (statement instanceof Statement.Macro macro) {
      return macros.macro(macro, scope);
    }
    if (statement instanceof Statement.CallBlock block) {
      return macros.callBlock(block, scope);
    }
    if (statement instanceof Statement.Generation generation) {
      return macros.generation(generation, scope);
    }
    if (statement instanceof Statement.FilterBlock block) {
      return filterBlock(block, scope);
    }
    if (statement instanceof Statement.With with) {
      return with(with, scope);
    }
    if (statement instanceof Statement.Autoescape autoescape) {
      return autoescape(autoescape, scope);
    }
    if (statement instanceof Statement.Block block) {
      return block(block, scope);
    }
    if (statement instanceof Statement.Break) {
      requireLoop(statement, "break");
      return (frame, out) -> Flow.BREAK;
    }
    if (statement instanceof Statement.Continue) {
      requireLoop(statement, "continue");
      return (frame, out) -> Flow.CONTINUE;
    }
    return otherTemplate(statement, scope);
  }

  private void requireLoop(Statement statement, String name) {
    if (compiler.loops() == 0) {
      throw Compiler.error("'" + name + "' outside loop", statement);
    }
  }

  private Action otherTemplate(Statement statement, Scope scope) {
    if (statement instanceof Statement.Extends && !scope.toplevel()) {
      throw Compiler.error("cannot use extend from a non top-level scope", statement);
    }
    return (frame, out) -> {
      throw TemplateException.runtime("there are no other templates to take something from");
    };
  }

  private Action condition(Statement.If condition, Scope scope) {
    Scope soft = scope.inCondition();
    List<Code> tests = new ArrayList<>();
    List<Action> bodies = new ArrayList<>();
    tests.add(expressions.compile(condition.test(), soft));
    bodies.add(compiler.body(condition.body(), soft));
    for (Statement.If elif : condition.elifs()) {
      tests.add(expressions.compile(elif.test(), soft));
      bodies.add(compiler.body(elif.body(), soft));
    }
    Action otherwise = compiler.body(condition.otherwise(), soft);
    Code[] allTests = tests.toArray(new Code[0]);
    Action[] allBodies = bodies.toArray(new Action[0]);
    return (frame, out) -> {
      for (int i = 0; i < allTests.length; i++) {
        if (Values.truth(allTests[i].value(frame))) {
          return allBodies[i].run(frame, out);
        }
      }
      return otherwise.run(frame, out);
    };
  }

  private Action assign(Statement.Assign assign, Scope scope) {
    compiler.beginAssignment();
    Action check = targets.requireNamespaces(assign.target(), scope);
    TargetCompiler.Target target = targets.compile(assign.target(), scope);
    Code value = expressions.compile(assign.value(), scope);
    Action known = compiler.endAssignment(scope);
    return (frame, out) -> {
      check.run(frame, out);
      target.set(frame, value.value(frame));
      return known.run(frame, out);
    };
  }

  private Action assignBlock(Statement.AssignBlock block, Scope scope) {
    compiler.beginAssignment();
    Scope inner = scope.inner();
    new SymbolVisitor(inner.symbols()).visitAll(block.body());
    Action enter = compiler.enter(inner);
    Action body = compiler.body(block.body(), inner);
    TargetCompiler.Target target = targets.compile(block.target(), scope);
    ExpressionCompiler.TextCode filter =
        block.filter() == null ? null : expressions.blockFilter(block.filter(), inner);
    Action known = compiler.endAssignment(scope);
    Action leave = compiler.leave(inner);
    return (frame, out) -> {
      enter.run(frame, out);
      Sink sink = new Sink(frame.run.budget());
      Flow flow = body.run(frame, sink);
      if (flow != Flow.NEXT) {
        return flow;
      }
      Object value = filter == null ? sink.toString() : filter.value(frame, sink.toString());
      boolean marks = frame.run.escaping() && !(value instanceof Markup);
      target.set(frame, marks ? new Markup(Repr.str(value)) : value);
      known.run(frame, out);
      return leave.run(frame, out);
    };
  }

  private Action filterBlock(Statement.FilterBlock block, Scope scope) {
    Scope inner = scope.inner();
    SymbolVisitor visitor = new SymbolVisitor(inner.symbols());
    visitor.visitAll(block.body());
    visitor.visit(block.filter());
    Action enter = compiler.enter(inner);
    Action body = compiler.body(block.body(), inner);
    ExpressionCompiler.TextCode filter = expressions.blockFilter(block.filter(), inner);
    Action leave = compiler.leave(inner);
    return (frame, out) -> {
      enter.run(frame, out);
      Sink sink = new Sink(frame.run.budget());
      Flow flow = body.run(frame, sink);
      if (flow != Flow.NEXT) {
        return flow;
      }
      out.print(printable(filter.value(frame, sink.toString())));
      return leave.run(frame, out);
    };
  }

  /** What is printed as it is: Jinja joins it to texts, which takes only texts. */
  static String printable(Object value) {
    if (!Values.isText(value)) {
      throw TemplateException.type(
          "expected str instance, " + Values.typeName(value) + " found in what is printed");
    }
    return Repr.str(value);
  }

  private Action with(Statement.With with, Scope scope) {
    Scope inner = scope.inner();
    SymbolVisitor visitor = new SymbolVisitor(inner.symbols());
    visitor.visitAll(with.targets());
    visitor.visitAll(with.body());
    List<Action> actions = new ArrayList<>();
    actions.add(compiler.enter(inner));
    for (int i = 0; i < with.targets().size(); i++) {
      TargetCompiler.Target target = targets.compile(with.targets().get(i), inner);
      Code value = expressions.compile(with.values().get(i), scope);
      actions.add(
          (frame, out) -> {
            target.set(frame, value.value(frame));
            return Flow.NEXT;
          });
    }
    actions.add(compiler.body(with.body(), inner));
    actions.add(compiler.leave(inner));
    return Action.all(actions);
  }

  private Action autoescape(Statement.Autoescape autoescape, Scope scope) {
    Scope inner = scope.inner();
    SymbolVisitor visitor = new SymbolVisitor(inner.symbols());
    visitor.visit(autoescape.enabled());
    visitor.visitAll(autoescape.body());
    Action enter = compiler.enter(inner);
    Compiler.Escape before = compiler.escape();
    Code enabled = expressions.compile(autoescape.enabled(), inner);
    Constants.requireHashableLiteral(
        autoescape.enabled(), part -> expressions.valueBeforehand(part, inner));
    Object known = expressions.valueBeforehand(autoescape.enabled(), inner);
    compiler.setEscape(known == Attributes.ABSENT ? before.unknown() : before.switchedTo(known));
    Action body = compiler.body(autoescape.body(), inner);
    compiler.setEscape(before);
    Action leave = compiler.leave(inner);
    return (frame, out) -> {
      enter.run(frame, out);
      boolean old = frame.run.escaping();
      frame.run.setEscaping(Values.truth(enabled.value(frame)));
      Flow flow = body.run(frame, out);
      if (flow != Flow.NEXT) {
        return flow;
      }
      frame.run.setEscaping(old);
      return leave.run(frame, out);
    };
  }

  private Action block(Statement.Block block, Scope scope) {
    if (block.required()) {
      return (frame, out) -> {
        throw TemplateException.runtime("Required block '" + block.name() + "' not found");
      };
    }
    if (!block.scoped()) {
      return (frame, out) -> {
        frame.run.block(block.name()).run(frame.run, frame.context, out);
        return Flow.NEXT;
      };
    }
    Map<String, Variable> known = new TreeMap<>();
    scope
        .symbols()
        .allStores()
        .forEach((name, identifier) -> known.put(name, compiler.use(identifier)));
    return (frame, out) -> {
      Map<String, Object> values = new TreeMap<>();
      known.forEach((name, variable) -> values.put(name, variable.get(frame)));
      frame.run.block(block.name()).run(frame.run, frame.context.with(values), out);
      return Flow.NEXT;
    };
  }
}
