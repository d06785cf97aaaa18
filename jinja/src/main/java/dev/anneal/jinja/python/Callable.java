package dev.anneal.jinja.python;

/** What a template can call. */
public interface Callable {
  Object call(Budget budget, Arguments arguments);
}
