package dev.anneal.jinja.run;

import java.util.Arrays;

/** The local variables of a function that is being run. */
final class Frame {
  /** Stands in a slot that nothing was put into yet. */
  static final Object UNBOUND = new Object();

  final Object[] slots;
  final Frame outer;
  final Run run;
  final Context context;

  Frame(FunctionScope function, Frame outer, Run run, Context context) {
    this.slots = new Object[function.size()];
    Arrays.fill(slots, UNBOUND);
    this.outer = outer;
    this.run = run;
    this.context = context;
  }

  /** Of a function that stands in another. */
  static Frame within(FunctionScope function, Frame outer) {
    return new Frame(function, outer, outer.run, outer.context);
  }
}
