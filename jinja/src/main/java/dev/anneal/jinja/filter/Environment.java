package dev.anneal.jinja.filter;

import dev.anneal.jinja.python.Budget;

/** What filters know of the rendering. */
public interface Environment {
  Budget budget();

  /** Whether {@code autoescape} is on. */
  boolean escaping();
}
