package dev.anneal.training.lora;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.Excerpt;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A regular expression of Python's {@code re}, as PEFT's configurations have them, in Java. Only
 * what means the same in both is taken: literals, {@code .}, {@code \d \w \s} and their opposites,
 * escaped punctuation, sets, groups, lookaheads, alternatives, anchors and quantifiers. Names of
 * modules, which they are matched with, are ASCII and of one line.
 *
 * @see <a href="https://docs.python.org/3/library/re.html#regular-expression-syntax">The syntax</a>
 */
final class PythonPattern {
  private static final String CLASSES = "dDwWsS";
  private static final String PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ";

  private final String regex;
  private int at;

  /** Whether what stands before can be repeated. */
  private boolean repeatable;

  private PythonPattern(String regex) {
    this.regex = regex;
  }

  /**
   * Compiles {@code regex}.
   *
   * @throws InvalidModelException if Python does not take it, or may mean something else by it
   */
  static Pattern compile(String regex) {
    new PythonPattern(regex).check();
    return compileChecked(regex, regex);
  }

  /**
   * Compiles what PEFT makes of a key of {@code rank_pattern}, to be found at the beginning of a
   * name: the name's end.
   *
   * @throws InvalidModelException if Python does not take it, or may mean something else by it
   */
  static Pattern compileSuffix(String key) {
    new PythonPattern(key).check();
    return compileChecked("(.*\\.)?(" + key + ")$", key);
  }

  private static Pattern compileChecked(String java, String regex) {
    try {
      return Pattern.compile(java);
    } catch (PatternSyntaxException e) {
      throw new InvalidModelException(
          "LoRA's regular expression '%s' is not valid (%s)."
              .formatted(Excerpt.of(regex), e.getDescription()),
          e);
    }
  }

  private void check() {
    while (at < regex.length()) {
      char c = regex.charAt(at);
      switch (c) {
        case '\\' -> escape();
        case '[' -> set();
        case '(' -> group();
        case '|', '^', '$' -> unrepeatable();
        case '*', '+', '?', '{' -> quantifier();
        case ']', '}' -> throw refused("a bare " + c);
        default -> {
          at++;
          repeatable = true;
        }
      }
    }
  }

  private void unrepeatable() {
    at++;
    repeatable = false;
  }

  private void escape() {
    at++;
    if (at == regex.length()
        || (CLASSES.indexOf(regex.charAt(at)) < 0 && PUNCTUATION.indexOf(regex.charAt(at)) < 0)) {
      throw refused(at == regex.length() ? "a \\ at its end" : "\\" + regex.charAt(at));
    }
    at++;
    repeatable = true;
  }

  private void set() {
    at++;
    if (next("^")) {
      at++;
    }
    int first = at;
    while (!next("]") || at == first) {
      if (at == regex.length()) {
        throw refused("a [ without its ]");
      }
      if (next("[") || next("]") || next("&&") || next("--") || next("~~") || next("||")) {
        throw refused(regex.charAt(at) + " in a set");
      }
      if (next("\\")) {
        escape();
      } else {
        at++;
      }
    }
    at++;
    repeatable = true;
  }

  private void group() {
    at++;
    if (next("?")) {
      if (!next("?:") && !next("?=") && !next("?!")) {
        throw refused("(" + regex.substring(at, Math.min(regex.length(), at + 2)));
      }
      at += 2;
    }
    repeatable = false;
  }

  private void quantifier() {
    if (!repeatable) {
      throw refused("%s with nothing to repeat".formatted(regex.charAt(at)));
    }
    if (next("{")) {
      int end = regex.indexOf('}', at);
      if (end < 0 || !regex.substring(at + 1, end).matches("\\d{1,4}(,\\d{0,4})?")) {
        throw refused("a { that is no {m}, {m,} or {m,n}");
      }
      at = end;
    }
    at++;
    if (next("?")) {
      at++;
    }
    repeatable = false;
  }

  private boolean next(String text) {
    return regex.startsWith(text, at);
  }

  private InvalidModelException refused(String what) {
    return new InvalidModelException(
        "LoRA's regular expression '%s' has %s, which Anneal does not take: list the names of the modules instead."
            .formatted(Excerpt.of(regex), what));
  }
}
