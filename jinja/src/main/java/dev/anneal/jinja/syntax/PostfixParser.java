package dev.anneal.jinja.syntax;

import java.util.ArrayList;
import java.util.List;

/** What stands behind a value: attributes, indices, calls, filters and tests. */
final class PostfixParser {
  private final TokenStream stream;
  private final ExpressionParser expressions;

  PostfixParser(TokenStream stream, ExpressionParser expressions) {
    this.stream = stream;
    this.expressions = expressions;
  }

  /** Attributes, indices and calls. */
  Expression of(Expression first) {
    Expression node = first;
    while (true) {
      switch (stream.current().type()) {
        case DOT -> node = attribute(node);
        case LBRACKET -> node = item(node);
        case LPAREN -> node = call(node);
        default -> {
          return node;
        }
      }
    }
  }

  Expression filtersAndTests(Expression first) {
    Expression node = first;
    while (true) {
      if (stream.is(TokenType.PIPE)) {
        node = filters(node);
      } else if (stream.isName("is")) {
        node = test(node);
      } else if (stream.is(TokenType.LPAREN)) {
        node = call(node);
      } else {
        return node;
      }
    }
  }

  private Expression attribute(Expression node) {
    Position at = stream.take().at();
    Token name = stream.take();
    if (name.type() == TokenType.NAME) {
      return new Expression.Attribute(node, (String) name.value(), at);
    }
    if (name.type() != TokenType.INTEGER) {
      throw TokenStream.error("expected name or number, got '" + name.describe() + "'", name.at());
    }
    return new Expression.Item(node, new Expression.Constant(name.value(), name.at()), at);
  }

  private Expression item(Expression node) {
    Position at = stream.take().at();
    List<Expression> arguments = new ArrayList<>();
    while (!stream.is(TokenType.RBRACKET)) {
      if (!arguments.isEmpty()) {
        stream.expect(TokenType.COMMA);
      }
      arguments.add(subscript());
    }
    stream.expect(TokenType.RBRACKET);
    if (arguments.size() == 1) {
      return new Expression.Item(node, arguments.get(0), at);
    }
    if (arguments.stream().anyMatch(Expression.Slice.class::isInstance)) {
      throw TokenStream.error("a slice is no part of a tuple", at);
    }
    return new Expression.Item(node, new Expression.TupleLiteral(arguments, at), at);
  }

  private Expression subscript() {
    Position at = stream.current().at();
    Expression start = null;
    if (!stream.is(TokenType.COLON)) {
      start = expressions.expression();
      if (!stream.is(TokenType.COLON)) {
        return start;
      }
    }
    stream.take();
    Expression stop = null;
    if (!stream.is(TokenType.COLON)) {
      stop = boundary();
    }
    Expression step = stream.takeIf(TokenType.COLON) ? boundary() : null;
    return new Expression.Slice(start, stop, step, at);
  }

  private Expression boundary() {
    return stream.is(TokenType.RBRACKET) || stream.is(TokenType.COMMA)
        ? null
        : expressions.expression();
  }

  private Expression call(Expression node) {
    Position at = stream.current().at();
    return new Expression.Call(node, arguments(), at);
  }

  private CallArguments arguments() {
    Position at = stream.expect(TokenType.LPAREN).at();
    List<Expression> positional = new ArrayList<>();
    List<Helper.Keyword> named = new ArrayList<>();
    Expression more = null;
    Expression moreNamed = null;
    boolean first = true;
    while (!stream.is(TokenType.RPAREN)) {
      if (!first) {
        stream.expect(TokenType.COMMA);
        if (stream.is(TokenType.RPAREN)) {
          break;
        }
      }
      first = false;
      boolean isNamed = stream.is(TokenType.NAME) && stream.look().type() == TokenType.ASSIGN;
      boolean isMore = stream.is(TokenType.MUL);
      boolean isMoreNamed = stream.is(TokenType.POW);
      boolean positionalFits = more == null && moreNamed == null;
      boolean fits =
          (isMoreNamed || isNamed)
              ? moreNamed == null
              : positionalFits && (isMore || named.isEmpty());
      if (!fits) {
        throw TokenStream.error("invalid syntax for function call expression", at);
      }
      if (isMore) {
        stream.take();
        more = expressions.expression();
      } else if (isMoreNamed) {
        stream.take();
        moreNamed = expressions.expression();
      } else if (isNamed) {
        String key = (String) stream.take().value();
        stream.take();
        named.add(new Helper.Keyword(key, expressions.expression()));
      } else {
        positional.add(expressions.expression());
      }
    }
    stream.expect(TokenType.RPAREN);
    return new CallArguments(positional, named, more, moreNamed);
  }

  /** Filters behind a value, each with its {@code |}. */
  Expression filters(Expression first) {
    Expression node = first;
    while (stream.takeIf(TokenType.PIPE)) {
      node = filter(node);
    }
    return node;
  }

  /** A filter without its {@code |}. */
  Expression.Filter filter(Expression node) {
    Token name = stream.expect(TokenType.NAME);
    String full = dotted(name);
    CallArguments arguments = stream.is(TokenType.LPAREN) ? arguments() : CallArguments.NONE;
    return new Expression.Filter(node, full, arguments, name.at());
  }

  private String dotted(Token name) {
    StringBuilder full = new StringBuilder((String) name.value());
    while (stream.takeIf(TokenType.DOT)) {
      full.append('.').append((String) stream.expect(TokenType.NAME).value());
    }
    return full.toString();
  }

  private Expression test(Expression node) {
    Position at = stream.take().at();
    boolean negated = stream.takeIfName("not");
    String name = dotted(stream.expect(TokenType.NAME));
    CallArguments arguments = CallArguments.NONE;
    if (stream.is(TokenType.LPAREN)) {
      arguments = arguments();
    } else if (beginsArgument()) {
      if (stream.isName("is")) {
        throw stream.error("You cannot chain multiple tests with is");
      }
      Expression argument = of(expressions.primary());
      arguments = new CallArguments(List.of(argument), List.of(), null, null);
    }
    Expression test = new Expression.Test(node, name, arguments, at);
    return negated ? new Expression.Unary(UnaryOperator.NOT, test, at) : test;
  }

  private boolean beginsArgument() {
    return switch (stream.current().type()) {
      case NAME -> !stream.isName("else") && !stream.isName("or") && !stream.isName("and");
      case STRING, INTEGER, FLOAT, LBRACKET, LBRACE -> true;
      default -> false;
    };
  }
}
