package dev.anneal.jinja.syntax;

/** Operators between two values. */
public enum BinaryOperator {
  ADD,
  SUB,
  MUL,
  DIV,
  FLOORDIV,
  MOD,
  POW,
  AND,
  OR
}
