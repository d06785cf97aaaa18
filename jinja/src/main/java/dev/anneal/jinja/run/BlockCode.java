package dev.anneal.jinja.run;

/** A block, ready to be run. */
record BlockCode(FunctionScope function, Action body) {

  void run(Run run, Context context, Sink out) {
    body.run(new Frame(function, null, run, context), out);
  }
}
