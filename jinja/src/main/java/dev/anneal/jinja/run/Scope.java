package dev.anneal.jinja.run;

/**
 * What the compiler knows where it is: {@code Frame} of {@code compiler.py}.
 *
 * @param toplevel whether it is the template itself, within conditions at most
 * @param loop whether it is the body of a loop
 * @param block whether it is the body of a block
 * @param soft whether it is within a condition, where an unknown filter fails only when reached
 * @param rootlevel whether it is the template itself without a condition
 */
record Scope(
    Symbols symbols,
    boolean toplevel,
    boolean loop,
    boolean block,
    boolean soft,
    boolean rootlevel) {

  static Scope ofTemplate() {
    return new Scope(Symbols.root(), true, false, false, false, true);
  }

  static Scope ofBlock() {
    return new Scope(Symbols.root(), false, false, true, false, false);
  }

  Scope inner() {
    return new Scope(symbols.inner(), false, false, false, false, false);
  }

  Scope innerOfLoop() {
    return new Scope(symbols.inner(), false, true, false, false, false);
  }

  Scope inCondition() {
    return new Scope(symbols, toplevel, loop, block, true, false);
  }
}
