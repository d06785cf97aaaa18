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
  private final List<Generation> generations = new ArrayList<>();
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

  /**
   * What the assistant says.
   *
   * @param start in UTF-16 units
   * @param length in code points
   */
  private record Generation(int start, int length) {}

  /** Marks what the assistant says as transformers does: behind what is printed so far. */
  void markGeneration(String text) {
    generations.add(new Generation(root.length(), text.codePointCount(0, text.length())));
  }

  /** What is marked of the whole text, {@code [start, end)} in UTF-16 units. */
  List<int[]> generations(String whole) {
    List<int[]> spans = new ArrayList<>();
    for (Generation generation : generations) {
      int start = generation.start();
      // what is said may be printed to nowhere
      int left = whole.codePointCount(start, whole.length());
      int length = Math.min(left, generation.length());
      spans.add(new int[] {start, whole.offsetByCodePoints(start, length)});
    }
    return spans;
  }
}
