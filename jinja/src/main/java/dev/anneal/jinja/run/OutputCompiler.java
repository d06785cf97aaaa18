package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.error.TemplateException.Kind;
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
      try {
        constants.append(constant(node, scope));
      } catch (TemplateException e) {
        flush(constants, actions);
        Action action = e.kind() == Kind.UNSUPPORTED ? refusal(e) : printed(node, scope);
        actions.add(Located.action(action, node.at()));
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

  private static Action refusal(TemplateException e) {
    return (frame, out) -> {
      throw e;
    };
  }

  private Action printed(Expression node, Scope scope) {
    Code code = expressions.compile(node, scope);
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
      case UNKNOWN_IN_OFF, UNKNOWN_IN_ON ->
          (frame, out) -> {
            Object value = code.value(frame);
            out.print(frame.run.escaping() ? Markup.escape(value).text() : Repr.str(value));
            return Flow.NEXT;
          };
    };
  }

  /**
   * The text of an expression that is always the same.
   *
   * @throws TemplateException if it is not, or fails
   */
  private String constant(Expression node, Scope scope) {
    if (node instanceof Expression.Data data) {
      return data.text();
    }
    boolean escaping = compiler.escape().escapesConstants();
    Object value = Constants.evaluate(expressions.constant(node, scope), escaping);
    return escaping ? Markup.escape(value).text() : Repr.str(value);
  }
}
