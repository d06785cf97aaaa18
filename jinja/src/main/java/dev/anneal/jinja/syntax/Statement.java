package dev.anneal.jinja.syntax;

import java.util.ArrayList;
import java.util.List;

/** What a template does. */
public sealed interface Statement extends Node {

  /** Prints. */
  record Output(List<Expression> nodes, Position at) implements Statement {
    @Override
    public List<Expression> children() {
      return nodes;
    }
  }

  record If(
      Expression test, List<Statement> body, List<If> elifs, List<Statement> otherwise, Position at)
      implements Statement {
    @Override
    public List<Node> children() {
      return join(List.of(test), body, elifs, otherwise);
    }
  }

  /** A loop; {@code test} is null where nothing is left out. */
  record For(
      Expression target,
      Expression iterable,
      List<Statement> body,
      List<Statement> otherwise,
      Expression test,
      boolean recursive,
      Position at)
      implements Statement {
    @Override
    public List<Node> children() {
      return join(
          List.of(target, iterable), body, otherwise, test == null ? List.of() : List.of(test));
    }
  }

  record Assign(Expression target, Expression value, Position at) implements Statement {
    @Override
    public List<Node> children() {
      return List.of(target, value);
    }
  }

  /** {@code set} of what stands up to {@code endset}; {@code filter} may be null. */
  record AssignBlock(Expression target, Expression.Filter filter, List<Statement> body, Position at)
      implements Statement {
    @Override
    public List<Node> children() {
      return join(List.of(target), filter == null ? List.of() : List.of(filter), body);
    }
  }

  /** Parameters of a macro or of a call block; the defaults are those of the last ones. */
  record Parameters(List<Expression.Name> names, List<Expression> defaults) {}

  record Macro(String name, Parameters parameters, List<Statement> body, Position at)
      implements Statement {
    @Override
    public List<Node> children() {
      return join(parameters.names(), parameters.defaults(), body);
    }
  }

  record CallBlock(Expression.Call call, Parameters parameters, List<Statement> body, Position at)
      implements Statement {
    @Override
    public List<Node> children() {
      return join(List.of(call), parameters.names(), parameters.defaults(), body);
    }
  }

  /** What the assistant says, by transformers' {@code generation} tag. */
  record Generation(List<Statement> body, Position at) implements Statement {
    @Override
    public List<Statement> children() {
      return body;
    }
  }

  record FilterBlock(Expression.Filter filter, List<Statement> body, Position at)
      implements Statement {
    @Override
    public List<Node> children() {
      return join(body, List.of(filter));
    }
  }

  record With(List<Expression> targets, List<Expression> values, List<Statement> body, Position at)
      implements Statement {
    @Override
    public List<Node> children() {
      return join(targets, values, body);
    }
  }

  record Autoescape(Expression enabled, List<Statement> body, Position at) implements Statement {
    @Override
    public List<Node> children() {
      return join(List.of(enabled), body);
    }
  }

  record Block(String name, boolean scoped, boolean required, List<Statement> body, Position at)
      implements Statement {
    @Override
    public List<Statement> children() {
      return body;
    }
  }

  record Extends(Expression template, Position at) implements Statement {
    @Override
    public List<Node> children() {
      return List.of(template);
    }
  }

  record Include(Expression template, Position at) implements Statement {
    @Override
    public List<Node> children() {
      return List.of(template);
    }
  }

  /** {@code import} and {@code from}, with the names that they would set. */
  record Import(Expression template, List<String> names, Position at) implements Statement {
    @Override
    public List<Node> children() {
      return List.of(template);
    }
  }

  record Break(Position at) implements Statement {
    @Override
    public List<Node> children() {
      return List.of();
    }
  }

  record Continue(Position at) implements Statement {
    @Override
    public List<Node> children() {
      return List.of();
    }
  }

  @SafeVarargs
  private static List<Node> join(List<? extends Node>... parts) {
    List<Node> nodes = new ArrayList<>();
    for (List<? extends Node> part : parts) {
      nodes.addAll(part);
    }
    return nodes;
  }
}
