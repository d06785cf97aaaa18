package dev.anneal.jinja.run;

import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.syntax.Expression;
import dev.anneal.jinja.syntax.Statement;
import java.util.ArrayList;
import java.util.List;

/** What is printed; constants are put into the text beforehand. */
final class OutputCompiler {
  private final Compiler compiler;
  private final ExpressionCompiler expressions;

  OutputCompiler(Compiler compiler, ExpressionCompiler expressions) {
    this.compiler = compiler;
    this.expressions = expressions;
  }

  Action compile(Statement.Output output, Scope scope) {
    List<Action> actions = new ArrayList<>();
    StringBuilder constants = new StringBuilder();
    for (Expression node : output.nodes()) {
      String constant = constant(node, scope);
      if (constant == null) {
        flush(constants, actions);
        actions.add(print(expressions.compile(node, scope)));
      } else {
        constants.append(constant);
      }
    }
    flush(constants, actions);
    return Action.all(actions);
  }

  private static void flush(StringBuilder constants, List<Action> actions) {
    if (!constants.isEmpty()) {
      String text = constants.toString();
      constants.setLength(0);
      actions.add(
          (frame, out) -> {
            out.print(text);
            return Flow.NEXT;
          });
    }
  }

  private Action print(Code code) {
    return switch (compiler.escape()) {
      case OFF ->
          (frame, out) -> {
            Object value = code.value(frame);
            out.print(value instanceof String text ? text : Repr.str(value));
            return Flow.NEXT;
          };
      case ON ->
          (frame, out) -> {
            out.print(Markup.escape(code.value(frame)).text());
            return Flow.NEXT;
          };
      case UNKNOWN ->
          (frame, out) -> {
            Object value = code.value(frame);
            out.print(frame.run.escaping() ? Markup.escape(value).text() : Repr.str(value));
            return Flow.NEXT;
          };
    };
  }

  /** The text of an expression that is always the same; null if it is not or fails. */
  private String constant(Expression node, Scope scope) {
    if (node instanceof Expression.Data data) {
      return data.text();
    }
    if (compiler.escape() == Compiler.Escape.UNKNOWN) {
      return null;
    }
    boolean escaping = compiler.escape() == Compiler.Escape.ON;
    Object value = Constants.value(expressions.constant(node, scope), escaping);
    if (value == Attributes.ABSENT) {
      return null;
    }
    return escaping ? Markup.escape(value).text() : Repr.str(value);
  }
}
