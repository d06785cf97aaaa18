package dev.anneal.jinja.syntax;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/** What has a value. */
public sealed interface Expression extends Node {

  /** What is done with a name. */
  enum Use {
    LOAD,
    STORE,
    PARAMETER
  }

  /** A variable. */
  record Name(String name, Use use, Position at) implements Expression {
    @Override
    public List<Node> children() {
      return List.of();
    }
  }

  /** {@code namespace.attribute} as a target. */
  record NamespaceRef(String name, String attribute, Position at) implements Expression {
    @Override
    public List<Node> children() {
      return List.of();
    }
  }

  /** A text, a number, a truth value or none. */
  record Constant(Object value, Position at) implements Expression {
    @Override
    public List<Node> children() {
      return List.of();
    }
  }

  /** Text of the template outside of tags. */
  record Data(String text, Position at) implements Expression {
    @Override
    public List<Node> children() {
      return List.of();
    }
  }

  record TupleLiteral(List<Expression> items, Position at) implements Expression {
    @Override
    public List<Expression> children() {
      return items;
    }
  }

  record ListLiteral(List<Expression> items, Position at) implements Expression {
    @Override
    public List<Expression> children() {
      return items;
    }
  }

  record DictLiteral(List<Helper.Pair> items, Position at) implements Expression {
    @Override
    public List<Helper.Pair> children() {
      return items;
    }
  }

  /** {@code then if test else otherwise}; {@code otherwise} may be null. */
  record Conditional(Expression test, Expression then, Expression otherwise, Position at)
      implements Expression {
    @Override
    public List<Node> children() {
      return present(test, then, otherwise);
    }
  }

  /** {@code node | name(arguments)}; {@code node} is null in a block that is filtered. */
  record Filter(Expression node, String name, CallArguments arguments, Position at)
      implements Expression {
    @Override
    public List<Node> children() {
      return with(node, arguments);
    }
  }

  /** {@code node is name(arguments)}. */
  record Test(Expression node, String name, CallArguments arguments, Position at)
      implements Expression {
    @Override
    public List<Node> children() {
      return with(node, arguments);
    }
  }

  record Call(Expression node, CallArguments arguments, Position at) implements Expression {
    @Override
    public List<Node> children() {
      return with(node, arguments);
    }
  }

  /** {@code node[argument]}. */
  record Item(Expression node, Expression argument, Position at) implements Expression {
    @Override
    public List<Node> children() {
      return List.of(node, argument);
    }
  }

  /** {@code node.name}. */
  record Attribute(Expression node, String name, Position at) implements Expression {
    @Override
    public List<Node> children() {
      return List.of(node);
    }
  }

  /** {@code start:stop:step} in brackets; each may be null. */
  record Slice(Expression start, Expression stop, Expression step, Position at)
      implements Expression {
    @Override
    public List<Node> children() {
      return present(start, stop, step);
    }
  }

  /** {@code a ~ b ~ c}. */
  record Concat(List<Expression> nodes, Position at) implements Expression {
    @Override
    public List<Expression> children() {
      return nodes;
    }
  }

  record Compare(Expression first, List<Helper.Operand> operands, Position at)
      implements Expression {
    @Override
    public List<Node> children() {
      List<Node> nodes = new ArrayList<>();
      nodes.add(first);
      nodes.addAll(operands);
      return nodes;
    }
  }

  record Binary(BinaryOperator operator, Expression left, Expression right, Position at)
      implements Expression {
    @Override
    public List<Node> children() {
      return List.of(left, right);
    }
  }

  record Unary(UnaryOperator operator, Expression node, Position at) implements Expression {
    @Override
    public List<Node> children() {
      return List.of(node);
    }
  }

  private static List<Node> present(Node... nodes) {
    return Stream.of(nodes).filter(Objects::nonNull).toList();
  }

  private static List<Node> with(Expression node, CallArguments arguments) {
    List<Node> nodes = arguments.nodes();
    if (node != null) {
      nodes.add(0, node);
    }
    return nodes;
  }
}
