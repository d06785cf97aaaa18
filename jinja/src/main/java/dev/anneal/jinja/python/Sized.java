package dev.anneal.jinja.python;

/** What {@code len()} takes, beside texts, lists and mappings. */
public interface Sized {
  int size();
}
