package dev.anneal.jinja.syntax;

import java.util.List;

/** Names, tuples of names and attributes of namespaces that values are put into. */
final class TargetParser {
  private final TokenStream stream;
  private final ExpressionParser expressions;

  TargetParser(TokenStream stream, ExpressionParser expressions) {
    this.stream = stream;
    this.expressions = expressions;
  }

  /** Only a name. */
  Expression.Name name(Expression.Use use) {
    Token token = stream.expect(TokenType.NAME);
    String name = (String) token.value();
    if (List.of("true", "false", "none", "True", "False", "None").contains(name)) {
      throw TokenStream.error("can't assign to '" + name + "'", token.at());
    }
    return new Expression.Name(name, use, token.at());
  }

  /** The target of {@code set}, which may be an attribute of a namespace. */
  Expression ofSet() {
    return assignable(
        expressions.tuple(
            this::namespaced, expressions::isTupleEnd, ExpressionParser.Empty.IS_ERROR),
        Expression.Use.STORE);
  }

  /** The target of {@code for}. */
  Expression ofFor() {
    return assignable(
        expressions.tuple(
            expressions::primary,
            () -> expressions.isTupleEnd() || stream.isName("in"),
            ExpressionParser.Empty.IS_ERROR),
        Expression.Use.STORE);
  }

  /** A target of {@code with}. */
  Expression ofWith() {
    return assignable(
        expressions.tuple(
            expressions::primary, expressions::isTupleEnd, ExpressionParser.Empty.IS_ERROR),
        Expression.Use.PARAMETER);
  }

  private Expression namespaced() {
    if (!stream.is(TokenType.NAME) || stream.look().type() != TokenType.DOT) {
      return expressions.primary();
    }
    Token name = stream.take();
    stream.take();
    Token attribute = stream.expect(TokenType.NAME);
    return new Expression.NamespaceRef(
        (String) name.value(), (String) attribute.value(), name.at());
  }

  private static Expression assignable(Expression target, Expression.Use use) {
    if (target instanceof Expression.Name name) {
      return new Expression.Name(name.name(), use, name.at());
    }
    if (target instanceof Expression.NamespaceRef) {
      return target;
    }
    if (target instanceof Expression.TupleLiteral tuple) {
      return new Expression.TupleLiteral(
          tuple.items().stream().map(item -> assignable(item, use)).toList(), tuple.at());
    }
    throw TokenStream.error("can't assign to what is no name", target.at());
  }
}
