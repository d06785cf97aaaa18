package dev.anneal.jinja.run;

import dev.anneal.jinja.filter.Environment;
import dev.anneal.jinja.python.Budget;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** One rendering. */
final class Run implements Environment {
  private final Budget budget;
  private final Map<String, BlockCode> blocks;
  private final Sink root;
  private final List<int[]> generations = new ArrayList<>();
  private boolean escaping;

  Run(Budget budget, Map<String, BlockCode> blocks) {
    this.budget = budget;
    this.blocks = blocks;
    this.root = new Sink(budget);
  }

  @Override
  public Budget budget() {
    return budget;
  }

  /** Whether {@code autoescape} is on. */
  @Override
  public boolean escaping() {
    return escaping;
  }

  void setEscaping(boolean escaping) {
    this.escaping = escaping;
  }

  BlockCode block(String name) {
    return blocks.get(name);
  }

  Sink root() {
    return root;
  }

  /** Marks what the assistant says as transformers does: behind what is printed so far. */
  void markGeneration(String text) {
    generations.add(new int[] {root.length(), root.length() + text.length()});
  }

  List<int[]> generations() {
    return generations;
  }
}
