package dev.anneal.jinja.syntax;

/** Operators before a value. */
public enum UnaryOperator {
  NOT,
  NEG,
  POS
}
