package dev.anneal.jinja.syntax;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** Expressions in Jinja's order of precedence. */
final class ExpressionParser {
  /** Expressions in each other; Python's own limit comes at about a hundred. */
  private static final int MAX_DEPTH = 150;

  private final TokenStream stream;
  private final PostfixParser postfix;
  private int depth;

  ExpressionParser(TokenStream stream) {
    this.stream = stream;
    this.postfix = new PostfixParser(stream, this);
  }

  PostfixParser postfix() {
    return postfix;
  }

  /** With a condition or without one. */
  Expression expression() {
    return nested(this::conditional);
  }

  Expression withoutCondition() {
    return nested(this::or);
  }

  private Expression nested(Supplier<Expression> parser) {
    if (++depth > MAX_DEPTH) {
      throw stream.error("expressions are nested too deep");
    }
    try {
      return parser.get();
    } finally {
      depth--;
    }
  }

  private Expression conditional() {
    Position at = stream.current().at();
    Expression value = or();
    while (stream.takeIfName("if")) {
      Expression test = or();
      Expression otherwise = stream.takeIfName("else") ? nested(this::conditional) : null;
      value = new Expression.Conditional(test, value, otherwise, at);
      at = stream.current().at();
    }
    return value;
  }

  private Expression or() {
    Position at = stream.current().at();
    Expression left = and();
    while (stream.takeIfName("or")) {
      left = new Expression.Binary(BinaryOperator.OR, left, and(), at);
    }
    return left;
  }

  private Expression and() {
    Position at = stream.current().at();
    Expression left = not();
    while (stream.takeIfName("and")) {
      left = new Expression.Binary(BinaryOperator.AND, left, not(), at);
    }
    return left;
  }

  private Expression not() {
    if (stream.isName("not")) {
      Position at = stream.take().at();
      return new Expression.Unary(UnaryOperator.NOT, nested(this::not), at);
    }
    return compare();
  }

  private Expression compare() {
    Position at = stream.current().at();
    Expression first = sum();
    List<Helper.Operand> operands = new ArrayList<>();
    for (Comparison next = comparison(); next != null; next = comparison()) {
      operands.add(new Helper.Operand(next, sum()));
    }
    return operands.isEmpty() ? first : new Expression.Compare(first, operands, at);
  }

  /** Takes an operator that compares; null if there is none. */
  private Comparison comparison() {
    Comparison found =
        switch (stream.current().type()) {
          case EQ -> Comparison.EQ;
          case NE -> Comparison.NE;
          case LT -> Comparison.LT;
          case LTEQ -> Comparison.LTEQ;
          case GT -> Comparison.GT;
          case GTEQ -> Comparison.GTEQ;
          default -> stream.isName("in") ? Comparison.IN : null;
        };
    if (found != null) {
      stream.take();
      return found;
    }
    if (stream.isName("not") && stream.look().isName("in")) {
      stream.take();
      stream.take();
      return Comparison.NOT_IN;
    }
    return null;
  }

  private Expression sum() {
    Expression left = concat();
    while (stream.is(TokenType.ADD) || stream.is(TokenType.SUB)) {
      Token token = stream.take();
      left =
          new Expression.Binary(
              token.type() == TokenType.ADD ? BinaryOperator.ADD : BinaryOperator.SUB,
              left,
              concat(),
              token.at());
    }
    return left;
  }

  private Expression concat() {
    Position at = stream.current().at();
    Expression first = product();
    if (!stream.is(TokenType.TILDE)) {
      return first;
    }
    List<Expression> nodes = new ArrayList<>(List.of(first));
    while (stream.takeIf(TokenType.TILDE)) {
      nodes.add(product());
    }
    return new Expression.Concat(nodes, at);
  }

  private Expression product() {
    Expression left = power();
    while (true) {
      BinaryOperator operator =
          switch (stream.current().type()) {
            case MUL -> BinaryOperator.MUL;
            case DIV -> BinaryOperator.DIV;
            case FLOORDIV -> BinaryOperator.FLOORDIV;
            case MOD -> BinaryOperator.MOD;
            default -> null;
          };
      if (operator == null) {
        return left;
      }
      Position at = stream.take().at();
      left = new Expression.Binary(operator, left, power(), at);
    }
  }

  private Expression power() {
    Expression left = unary();
    while (stream.is(TokenType.POW)) {
      Position at = stream.take().at();
      left = new Expression.Binary(BinaryOperator.POW, left, unary(), at);
    }
    return left;
  }

  private Expression unary() {
    return postfix.filtersAndTests(signed());
  }

  private Expression signed() {
    Token token = stream.current();
    if (token.type() != TokenType.SUB && token.type() != TokenType.ADD) {
      return postfix.of(primary());
    }
    stream.take();
    UnaryOperator operator = token.type() == TokenType.SUB ? UnaryOperator.NEG : UnaryOperator.POS;
    return postfix.of(new Expression.Unary(operator, nested(this::signed), token.at()));
  }

  /** A name or a literal. */
  Expression primary() {
    Token token = stream.current();
    switch (token.type()) {
      case NAME -> {
        stream.take();
        return switch ((String) token.value()) {
          case "true", "True" -> new Expression.Constant(true, token.at());
          case "false", "False" -> new Expression.Constant(false, token.at());
          case "none", "None" -> new Expression.Constant(null, token.at());
          default -> new Expression.Name((String) token.value(), Expression.Use.LOAD, token.at());
        };
      }
      case STRING -> {
        StringBuilder text = new StringBuilder();
        while (stream.is(TokenType.STRING)) {
          text.append((String) stream.take().value());
        }
        return new Expression.Constant(text.toString(), token.at());
      }
      case INTEGER, FLOAT -> {
        return new Expression.Constant(stream.take().value(), token.at());
      }
      case LPAREN -> {
        stream.take();
        Expression inner =
            tuple(
                this::expression,
                () -> stream.is(TokenType.RPAREN) || isTupleEnd(),
                Empty.IS_TUPLE);
        stream.expect(TokenType.RPAREN);
        return inner;
      }
      case LBRACKET -> {
        return list();
      }
      case LBRACE -> {
        return dict();
      }
      default -> throw stream.error("unexpected '" + token.describe() + "'");
    }
  }

  /** What becomes of a tuple without elements and parentheses. */
  enum Empty {
    IS_TUPLE,
    IS_ERROR
  }

  /** A value, or several with commas between them. */
  Expression tuple() {
    return tuple(this::expression, this::isTupleEnd, Empty.IS_ERROR);
  }

  /** The same without conditions in it, up to a name. */
  Expression tupleWithoutCondition(String end) {
    return tuple(this::withoutCondition, () -> isTupleEnd() || stream.isName(end), Empty.IS_ERROR);
  }

  Expression tuple(Supplier<Expression> parser, Supplier<Boolean> isEnd, Empty empty) {
    Position at = stream.current().at();
    List<Expression> items = new ArrayList<>();
    boolean isTuple = false;
    while (true) {
      if (!items.isEmpty()) {
        stream.expect(TokenType.COMMA);
      }
      if (isEnd.get()) {
        break;
      }
      items.add(parser.get());
      if (!stream.is(TokenType.COMMA)) {
        break;
      }
      isTuple = true;
    }
    if (!isTuple && !items.isEmpty()) {
      return items.get(0);
    }
    if (!isTuple && empty == Empty.IS_ERROR) {
      throw stream.error("expected an expression, got '" + stream.current().describe() + "'");
    }
    return new Expression.TupleLiteral(items, at);
  }

  boolean isTupleEnd() {
    return stream.is(TokenType.VARIABLE_END)
        || stream.is(TokenType.BLOCK_END)
        || stream.is(TokenType.RPAREN);
  }

  private Expression list() {
    Position at = stream.take().at();
    List<Expression> items = new ArrayList<>();
    while (!stream.is(TokenType.RBRACKET)) {
      if (!items.isEmpty()) {
        stream.expect(TokenType.COMMA);
      }
      if (stream.is(TokenType.RBRACKET)) {
        break;
      }
      items.add(expression());
    }
    stream.expect(TokenType.RBRACKET);
    return new Expression.ListLiteral(items, at);
  }

  private Expression dict() {
    Position at = stream.take().at();
    List<Helper.Pair> items = new ArrayList<>();
    while (!stream.is(TokenType.RBRACE)) {
      if (!items.isEmpty()) {
        stream.expect(TokenType.COMMA);
      }
      if (stream.is(TokenType.RBRACE)) {
        break;
      }
      Expression key = expression();
      stream.expect(TokenType.COLON);
      items.add(new Helper.Pair(key, expression()));
    }
    stream.expect(TokenType.RBRACE);
    return new Expression.DictLiteral(items, at);
  }
}
