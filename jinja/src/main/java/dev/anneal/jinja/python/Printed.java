package dev.anneal.jinja.python;

/**
 * An object that Python prints the same each time. Any other is printed with the place where it
 * lies in memory.
 */
public interface Printed {
  /** What is printed of it. */
  String printed();
}
