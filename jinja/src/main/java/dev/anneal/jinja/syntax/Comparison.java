package dev.anneal.jinja.syntax;

/** Operators that compare. */
public enum Comparison {
  EQ,
  NE,
  LT,
  LTEQ,
  GT,
  GTEQ,
  IN,
  NOT_IN
}
