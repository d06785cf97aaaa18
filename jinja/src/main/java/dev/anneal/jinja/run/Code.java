package dev.anneal.jinja.run;

/** An expression, ready to be evaluated. */
interface Code {
  Object value(Frame frame);
}
