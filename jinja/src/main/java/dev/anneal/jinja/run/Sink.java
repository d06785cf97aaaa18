package dev.anneal.jinja.run;

import dev.anneal.jinja.python.Budget;

/** Where a template prints to. */
final class Sink {
  private final Budget budget;
  private final StringBuilder text = new StringBuilder();

  Sink(Budget budget) {
    this.budget = budget;
  }

  void print(String more) {
    text.append(more);
    budget.text(text.length() > Budget.MAX_TEXT ? text.length() : more.length());
  }

  /** UTF-16 units so far. */
  int length() {
    return text.length();
  }

  @Override
  public String toString() {
    return text.toString();
  }
}
