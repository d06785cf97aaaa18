package dev.anneal.jinja.run;

import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.OneShot;
import dev.anneal.jinja.python.Values;
import dev.anneal.jinja.syntax.Expression;
import dev.anneal.jinja.syntax.Statement;
import java.util.Iterator;
import java.util.NoSuchElementException;

/** Loops: {@code visit_For} of {@code compiler.py}. */
final class LoopCompiler {
  private final Compiler compiler;
  private final ExpressionCompiler expressions;
  private final TargetCompiler targets;

  LoopCompiler(Compiler compiler, ExpressionCompiler expressions, TargetCompiler targets) {
    this.compiler = compiler;
    this.expressions = expressions;
    this.targets = targets;
  }

  /** Statements in a scope of their own. */
  private record Scoped(Action enter, Action body, Action leave) {}

  /**
   * The loop without what it goes over.
   *
   * @param variable of {@code loop}; null where it is not used
   * @param rounds what is done with each element
   * @param otherwise null where there is no {@code else}
   */
  private record Body(
      Filter filter,
      TargetCompiler.Target target,
      Variable variable,
      Scoped rounds,
      Scoped otherwise) {

    Flow run(
        Frame frame,
        Frame filterFrame,
        Sink out,
        Object iterable,
        Loop.Recursion recursion,
        int depth) {
      if (variable != null) {
        variable.set(frame, Attributes.ABSENT);
      }
      Object elements =
          filter == null
              ? iterable
              : new OneShot("generator object", filter.iterator(filterFrame, iterable));
      Iterator<?> iterator = Iteration.of(elements);
      boolean empty =
          variable == null
              ? each(frame, out, iterator)
              : each(
                  frame, out, new Loop(frame.run.budget(), elements, iterator, recursion, depth));
      rounds.leave().run(frame, out);
      if (!empty || otherwise == null) {
        return Flow.NEXT;
      }
      otherwise.enter().run(frame, out);
      Flow flow = otherwise.body().run(frame, out);
      return flow == Flow.NEXT ? otherwise.leave().run(frame, out) : flow;
    }

    /** Whether no round came to its end, by which Jinja decides on {@code else}. */
    private boolean each(Frame frame, Sink out, Iterator<?> iterator) {
      boolean empty = true;
      while (iterator.hasNext()) {
        frame.run.budget().step();
        target.set(frame, iterator.next());
        Flow flow = round(frame, out);
        if (flow == Flow.BREAK) {
          break;
        }
        empty &= flow == Flow.CONTINUE;
      }
      return empty;
    }

    private boolean each(Frame frame, Sink out, Loop loop) {
      boolean empty = true;
      while (loop.hasNext()) {
        frame.run.budget().step();
        target.set(frame, loop.next());
        variable.set(frame, loop);
        Flow flow = round(frame, out);
        if (flow == Flow.BREAK) {
          break;
        }
        empty &= flow == Flow.CONTINUE;
      }
      return empty;
    }

    private Flow round(Frame frame, Sink out) {
      rounds.enter().run(frame, out);
      return rounds.body().run(frame, out);
    }
  }

  Action compile(Statement.For loop, Scope scope) {
    Scope loopScope = scope.innerOfLoop();
    Scope elseScope = scope.inner();
    boolean extended = isExtended(loop);
    String loopName = extended ? loopScope.symbols().declareParameter("loop") : null;
    SymbolVisitor visitor = new SymbolVisitor(loopScope.symbols());
    visitor.visitTarget(loop.target());
    visitor.visitAll(loop.body());
    new SymbolVisitor(elseScope.symbols()).visitAll(loop.otherwise());
    Filter filter = loop.test() == null ? null : filter(loop, scope, loopScope);
    requireLoopUnset(loop);
    return loop.recursive()
        ? recursive(loop, filter, loopName, scope, loopScope, elseScope)
        : plain(loop, filter, loopName, scope, loopScope, elseScope);
  }

  private static boolean isExtended(Statement.For loop) {
    boolean[] extended = {
      loop.recursive() || !NameSearch.undeclared(loop.body(), "loop").isEmpty()
    };
    NameSearch.forEach(
        loop, node -> extended[0] |= node instanceof Statement.Block block && block.scoped());
    return extended[0];
  }

  private static void requireLoopUnset(Statement.For loop) {
    NameSearch.forEach(
        loop,
        node -> {
          if (node instanceof Expression.Name name
              && name.use() == Expression.Use.STORE
              && name.name().equals("loop")) {
            throw Compiler.error("can't assign to special loop variable in for-loop target", node);
          }
        });
  }

  private Action plain(
      Statement.For loop,
      Filter filter,
      String loopName,
      Scope scope,
      Scope loopScope,
      Scope elseScope) {
    Code iterable = expressions.compile(loop.iterable(), scope);
    Body body = body(loop, filter, loopName, loopScope, elseScope);
    return (frame, out) -> body.run(frame, frame, out, iterable.value(frame), null, 0);
  }

  private Action recursive(
      Statement.For loop,
      Filter filter,
      String loopName,
      Scope scope,
      Scope loopScope,
      Scope elseScope) {
    FunctionScope outer = compiler.enterFunction();
    FunctionScope own = compiler.function();
    int loops = compiler.loops();
    compiler.setLoops(0);
    boolean marks = compiler.escape() == Compiler.Escape.ON;
    boolean mayMark = !compiler.escape().isKnown();
    Body body = body(loop, filter, loopName, loopScope, elseScope);
    compiler.setLoops(loops);
    compiler.leaveFunction(outer);
    Code iterable = expressions.compile(loop.iterable(), scope);
    return (frame, out) -> {
      Loop.Recursion recursion =
          new Loop.Recursion() {
            @Override
            public Object render(Object elements, int depth) {
              frame.run.budget().enter();
              Sink sink = new Sink(frame.run.budget());
              body.run(Frame.within(own, frame), frame, sink, elements, this, depth);
              frame.run.budget().leave();
              boolean markup = marks || (mayMark && frame.run.escaping());
              return markup ? new Markup(sink.toString()) : sink.toString();
            }
          };
      out.print(StatementCompiler.printable(recursion.render(iterable.value(frame), 0)));
      return Flow.NEXT;
    };
  }

  private Body body(
      Statement.For loop, Filter filter, String loopName, Scope loopScope, Scope elseScope) {
    TargetCompiler.Target target = targets.compile(loop.target(), loopScope);
    Variable variable = loopName == null ? null : compiler.local(loopName);
    Action enter = compiler.enter(loopScope);
    compiler.setLoops(compiler.loops() + 1);
    Action body = compiler.body(loop.body(), loopScope);
    compiler.setLoops(compiler.loops() - 1);
    Action leave =
        loop.recursive() && loop.otherwise().isEmpty() ? Action.NOTHING : compiler.leave(loopScope);
    Scoped otherwise =
        loop.otherwise().isEmpty()
            ? null
            : new Scoped(
                compiler.enter(elseScope),
                compiler.body(loop.otherwise(), elseScope),
                compiler.leave(elseScope));
    compiler.forgetAssignments(loopScope.symbols().stores());
    return new Body(filter, target, variable, new Scoped(enter, body, leave), otherwise);
  }

  /** The condition of a loop, a generator of its own in Jinja. */
  private record Filter(
      FunctionScope function, Action enter, TargetCompiler.Target target, Code test) {

    Iterator<Object> iterator(Frame outer, Object iterable) {
      return new Iterator<>() {
        private Frame frame;
        private Iterator<?> elements;
        private Object next = Attributes.ABSENT;

        @Override
        public boolean hasNext() {
          if (frame == null) {
            frame = Frame.within(function, outer);
            enter.run(frame, null);
            elements = Iteration.of(iterable);
          }
          while (next == Attributes.ABSENT && elements.hasNext()) {
            frame.run.budget().step();
            Object element = elements.next();
            target.set(frame, element);
            if (Values.truth(test.value(frame))) {
              next = element;
            }
          }
          return next != Attributes.ABSENT;
        }

        @Override
        public Object next() {
          if (!hasNext()) {
            throw new NoSuchElementException();
          }
          Object element = next;
          next = Attributes.ABSENT;
          return element;
        }
      };
    }
  }

  private Filter filter(Statement.For loop, Scope scope, Scope loopScope) {
    Scope testScope = scope.inner();
    SymbolVisitor visitor = new SymbolVisitor(testScope.symbols());
    visitor.visitTarget(loop.target());
    visitor.visit(loop.test());
    FunctionScope outer = compiler.enterFunction();
    FunctionScope own = compiler.function();
    Action enter = compiler.enter(testScope);
    TargetCompiler.Target target = targets.compile(loop.target(), loopScope);
    Code test = expressions.compile(loop.test(), testScope);
    compiler.leaveFunction(outer);
    return new Filter(own, enter, target, test);
  }
}
