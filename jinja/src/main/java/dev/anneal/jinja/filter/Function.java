package dev.anneal.jinja.filter;

import dev.anneal.jinja.python.Arguments;
import dev.anneal.jinja.python.Signature;

/** A filter or a test; the first argument is what it is applied to. */
public interface Function {
  Object call(Environment environment, Arguments arguments);

  /** What a function does with a value for each of its parameters. */
  interface Body {
    Object call(Environment environment, Object[] values);
  }

  /** A function with named parameters. */
  static Function of(Signature signature, Body body) {
    return (environment, arguments) -> body.call(environment, signature.bind(arguments));
  }

  /** One of Python's own functions, whose parameters have no names. */
  static Function unnamed(String name, int parameters, Body body) {
    return (environment, arguments) ->
        body.call(
            environment, arguments.require(name, parameters, parameters).positional().toArray());
  }
}
