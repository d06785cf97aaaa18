package dev.anneal.jinja.run;

import dev.anneal.jinja.python.Attributes;
import dev.anneal.jinja.python.Equality;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Operators;
import dev.anneal.jinja.python.Ordering;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Values;
import dev.anneal.jinja.run.ExpressionCompiler.Mode;
import dev.anneal.jinja.syntax.Comparison;
import dev.anneal.jinja.syntax.Expression;
import dev.anneal.jinja.syntax.Helper;
import java.util.List;

/** Expressions with operators. */
final class OperatorCompiler {
  private final Compiler compiler;
  private final ExpressionCompiler expressions;

  OperatorCompiler(Compiler compiler, ExpressionCompiler expressions) {
    this.compiler = compiler;
    this.expressions = expressions;
  }

  Code compile(Expression expression, Scope scope, Mode mode) {
    if (expression instanceof Expression.Binary binary) {
      return binary(binary, scope, mode);
    }
    if (expression instanceof Expression.Unary unary) {
      Code node = expressions.compile(unary.node(), scope, mode);
      return switch (unary.operator()) {
        case NOT -> frame -> !Values.truth(node.value(frame));
        case NEG -> frame -> Operators.negative(node.value(frame));
        case POS -> frame -> Operators.positive(node.value(frame));
      };
    }
    if (expression instanceof Expression.Compare compare) {
      return compare(compare, scope, mode);
    }
    if (expression instanceof Expression.Concat concat) {
      return concat(concat, scope, mode);
    }
    throw new IllegalStateException("no expression: " + expression);
  }

  private Code binary(Expression.Binary binary, Scope scope, Mode mode) {
    Code left = expressions.compile(binary.left(), scope, mode);
    Code right = expressions.compile(binary.right(), scope, mode);
    return switch (binary.operator()) {
      case ADD -> frame -> Operators.add(frame.run.budget(), left.value(frame), right.value(frame));
      case SUB ->
          frame -> Operators.subtract(frame.run.budget(), left.value(frame), right.value(frame));
      case MUL ->
          frame -> Operators.multiply(frame.run.budget(), left.value(frame), right.value(frame));
      case DIV -> frame -> Operators.divide(left.value(frame), right.value(frame));
      case FLOORDIV -> frame -> Operators.floorDivide(left.value(frame), right.value(frame));
      case MOD ->
          frame -> Operators.modulo(frame.run.budget(), left.value(frame), right.value(frame));
      case POW ->
          mode == Mode.RUNNING
                  && Constants.isNegative(expressions.known(binary.left(), scope))
                  && expressions.known(binary.right(), scope) == Attributes.ABSENT
              // Jinja writes the number into Python's text, where the minus comes last
              ? frame ->
                  Operators.negative(
                      Operators.power(Operators.negative(left.value(frame)), right.value(frame)))
              : frame -> Operators.power(left.value(frame), right.value(frame));
      case AND ->
          frame -> {
            Object value = left.value(frame);
            return Values.truth(value) ? right.value(frame) : value;
          };
      case OR ->
          frame -> {
            Object value = left.value(frame);
            return Values.truth(value) ? value : right.value(frame);
          };
    };
  }

  private Code compare(Expression.Compare compare, Scope scope, Mode mode) {
    Code first = expressions.compile(compare.first(), scope, mode);
    List<Helper.Operand> operands = compare.operands();
    Code[] others =
        expressions.all(operands.stream().map(Helper.Operand::expression).toList(), scope, mode);
    Comparison[] signs = operands.stream().map(Helper.Operand::operator).toArray(Comparison[]::new);
    if (signs.length == 1) {
      Code other = others[0];
      return switch (signs[0]) {
        case EQ -> frame -> Equality.same(first.value(frame), other.value(frame));
        case NE -> frame -> !Equality.same(first.value(frame), other.value(frame));
        default -> frame -> holds(signs[0], first.value(frame), other.value(frame));
      };
    }
    return frame -> {
      Object value = first.value(frame);
      for (int i = 0; i < signs.length; i++) {
        Object other = others[i].value(frame);
        if (!holds(signs[i], value, other)) {
          return false;
        }
        value = other;
      }
      return true;
    };
  }

  private static boolean holds(Comparison sign, Object a, Object b) {
    return switch (sign) {
      case EQ -> Equality.same(a, b);
      case NE -> !Equality.same(a, b);
      case LT -> Ordering.holds(Ordering.Sign.LT, a, b);
      case LTEQ -> Ordering.holds(Ordering.Sign.LTEQ, a, b);
      case GT -> Ordering.holds(Ordering.Sign.GT, a, b);
      case GTEQ -> Ordering.holds(Ordering.Sign.GTEQ, a, b);
      case IN -> Operators.contains(b, a);
      case NOT_IN -> !Operators.contains(b, a);
    };
  }

  private Code concat(Expression.Concat concat, Scope scope, Mode mode) {
    Code[] nodes = expressions.all(concat.nodes(), scope, mode);
    // beforehand, and where it does not know whether it escapes, Jinja joins them as plain texts
    return mode == Mode.RUNNING && compiler.escape() == Compiler.Escape.ON
        ? frame -> joinedMarkup(ExpressionCompiler.values(nodes, frame), frame)
        : frame -> joined(nodes, frame);
  }

  private static String joined(Code[] nodes, Frame frame) {
    StringBuilder text = new StringBuilder();
    for (Code node : nodes) {
      text.append(Repr.str(node.value(frame)));
    }
    frame.run.budget().text(text.length());
    return text.toString();
  }

  /** Texts as they are unless one of them is markup, which makes all of it markup. */
  private static Object joinedMarkup(List<Object> values, Frame frame) {
    boolean markup = values.stream().anyMatch(Markup.class::isInstance);
    StringBuilder text = new StringBuilder();
    for (Object value : values) {
      text.append(markup ? Markup.escape(value).text() : Repr.str(value));
    }
    frame.run.budget().text(text.length());
    return markup ? new Markup(text.toString()) : text.toString();
  }
}
