package dev.anneal.jinja.run;

import java.util.List;

/**
 * A macro or the body of a call block, ready to be called.
 *
 * @param name null for a call block
 * @param names of its parameters
 * @param variables of its parameters, then of {@code caller}, {@code kwargs} and {@code varargs} as
 *     far as they are used
 */
record MacroCode(
    String name,
    List<String> names,
    List<Variable> variables,
    boolean usesCaller,
    boolean usesNamed,
    boolean usesMore,
    FunctionScope function,
    Action body) {

  String run(Frame outer, List<Object> values) {
    Frame frame = Frame.within(function, outer);
    for (int i = 0; i < values.size(); i++) {
      variables.get(i).set(frame, values.get(i));
    }
    Sink out = new Sink(outer.run.budget());
    body.run(frame, out);
    return out.toString();
  }
}
