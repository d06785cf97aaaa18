package dev.anneal.jinja.syntax;

import java.util.List;

/** Parts of expressions that have no value of their own. */
public sealed interface Helper extends Node {

  /** {@code key: value} of a mapping. */
  record Pair(Expression key, Expression value) implements Helper {
    @Override
    public Position at() {
      return key.at();
    }

    @Override
    public List<Node> children() {
      return List.of(key, value);
    }
  }

  /** {@code key=value} of a call. */
  record Keyword(String key, Expression value) implements Helper {
    @Override
    public Position at() {
      return value.at();
    }

    @Override
    public List<Node> children() {
      return List.of(value);
    }
  }

  /** What a comparison goes on with. */
  record Operand(Comparison operator, Expression expression) implements Helper {
    @Override
    public Position at() {
      return expression.at();
    }

    @Override
    public List<Node> children() {
      return List.of(expression);
    }
  }
}
