package dev.anneal.jinja.python;

/** An object with attributes of its own. */
public interface Attributed {

  /** The attribute; {@link Attributes#ABSENT} if there is none of that name. */
  Object attribute(String name);
}
