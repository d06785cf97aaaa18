package dev.anneal.jinja.run;

/** How a statement ends. */
enum Flow {
  NEXT,
  BREAK,
  CONTINUE
}
