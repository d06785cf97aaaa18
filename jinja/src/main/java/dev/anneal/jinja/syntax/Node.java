package dev.anneal.jinja.syntax;

import java.util.List;

/** A part of a template's syntax tree, named as in Jinja's {@code nodes.py}. */
public sealed interface Node permits Expression, Statement, Helper {
  Position at();

  /** What it is made of, in the order in which Jinja visits it. */
  List<? extends Node> children();
}
