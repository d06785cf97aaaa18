package dev.anneal.data.token;

import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import java.time.Duration;

/**
 * What one rendering of a template may take, so that a template that somebody else wrote can
 * neither hang a run nor take its memory.
 */
final class RenderLimits {
  /** Characters of any text that a template makes, its output among them. */
  static final int MAX_TEXT = 64 << 20;

  /** Elements of any list or mapping that a template makes. */
  static final int MAX_ELEMENTS = 1 << 20;

  /** Steps of {@code range}. */
  static final int MAX_RANGE = 100_000;

  /** Characters of all texts of one rendering. */
  private static final long MAX_TEXTS = 4L * MAX_TEXT;

  private final Duration time;
  private final long deadline;
  private long characters;
  private String exceeded;

  RenderLimits(Duration time) {
    this.time = time;
    this.deadline = System.nanoTime() + time.toNanos();
  }

  /** Those of the rendering that this thread is at. */
  static RenderLimits current() {
    return ((PythonInterpreter) JinjavaInterpreter.getCurrent()).limits();
  }

  /** To be called wherever a template can come by again and again. */
  void requireTime() {
    if (System.nanoTime() - deadline > 0) {
      exceed("it takes more than %d ms".formatted(time.toMillis()));
    }
    if (exceeded != null) {
      throw new InterpretException(exceeded);
    }
  }

  /** To be called before a text of that length is made. */
  void requireText(long length) {
    characters += length;
    if (length > MAX_TEXT) {
      exceed("it makes a text of %d characters, and %d are allowed".formatted(length, MAX_TEXT));
    }
    if (characters > MAX_TEXTS) {
      exceed("its texts have more than %d characters in all".formatted(MAX_TEXTS));
    }
    requireTime();
  }

  /** To be called before a list or mapping of that size is made. */
  void requireElements(long size) {
    if (size > MAX_ELEMENTS) {
      exceed("it makes a list of %d elements, and %d are allowed".formatted(size, MAX_ELEMENTS));
    }
    // an element takes the memory of some characters
    requireText(8 * size);
  }

  /** What was exceeded; null if nothing was. */
  String exceeded() {
    return exceeded;
  }

  // Jinjava goes on behind an expression that throws, so the first one is kept
  private void exceed(String what) {
    if (exceeded == null) {
      exceeded = what;
    }
  }
}
