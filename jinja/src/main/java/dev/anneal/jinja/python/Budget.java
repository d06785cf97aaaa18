package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import java.time.Duration;

/** What one rendering may take and how much of it is used. For use by one thread. */
public final class Budget {
  /** Characters of any text that a template makes. */
  public static final int MAX_TEXT = 64 << 20;

  /** Elements of any list or mapping that a template makes. */
  public static final int MAX_ELEMENTS = 1 << 20;

  /** Calls in each other; Python ends at fewer than two hundred. */
  private static final int MAX_DEPTH = 200;

  /** Characters of all texts of one rendering. */
  private static final long MAX_TEXTS = 4L * MAX_TEXT;

  private static final int STEPS_BETWEEN_LOOKS = 512;

  private final Duration time;
  private final long deadline;
  private long characters;
  private int steps;
  private int depth;

  public Budget(Duration time) {
    this.time = time;
    this.deadline = System.nanoTime() + time.toNanos();
  }

  /** To be called wherever a template can come by again and again. */
  public void step() {
    if (++steps >= STEPS_BETWEEN_LOOKS) {
      steps = 0;
      requireTime();
    }
  }

  /** To be called before work that takes longer than a step. */
  public void requireTime() {
    if (System.nanoTime() - deadline > 0) {
      throw TemplateException.limit("it takes more than %s ms".formatted(time.toMillis()));
    }
  }

  /** To be called before a text of that many UTF-16 units is made. */
  public void text(long length) {
    characters += length;
    if (length > MAX_TEXT) {
      throw TemplateException.limit(
          "it makes a text of %s characters, and %s are allowed".formatted(length, MAX_TEXT));
    }
    if (characters > MAX_TEXTS) {
      throw TemplateException.limit(
          "its texts have more than %s characters in all".formatted(MAX_TEXTS));
    }
    if (length > 1 << 16) {
      requireTime();
    }
    step();
  }

  /** To be called before a list or mapping of that size is made. */
  public void elements(long size) {
    if (size > MAX_ELEMENTS) {
      throw TemplateException.limit(
          "it makes a list of %s elements, and %s are allowed".formatted(size, MAX_ELEMENTS));
    }
    // an element takes the memory of some characters
    text(8 * size);
  }

  /** To be called before a call, and {@link #leave} after it. */
  public void enter() {
    if (++depth > MAX_DEPTH) {
      throw TemplateException.limit("its calls are nested too deep");
    }
    step();
  }

  public void leave() {
    depth--;
  }
}
