package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Numbers;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Texts;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code wordwrap}: each line of a text by Python's {@code textwrap}. */
final class WordWrap {
  private static final String SPACE = "[\\t\\n\\x0b\\f\\r ]";
  private static final String OTHER = "[^\\t\\n\\x0b\\f\\r ]";
  private static final String LETTER = "[\\p{L}_]";
  private static final String PUNCTUATED = "[\\p{L}\\p{N}_!\"'&.,?]";

  private static final Pattern WORDS =
      Pattern.compile(
          SPACE
              + "+|(?<="
              + PUNCTUATED
              + ")-{2,}(?="
              + Words.CHARACTER
              + ")|"
              + OTHER
              + "+?(?:-(?:(?<="
              + LETTER
              + "{2}-)|(?<="
              + LETTER
              + "-"
              + PUNCTUATED
              + "-))(?="
              + LETTER
              + "-?"
              + LETTER
              + ")|(?="
              + SPACE
              + "|\\z)|(?<="
              + PUNCTUATED
              + ")(?=-{2,}"
              + Words.CHARACTER
              + "))");
  private static final Pattern SIMPLE = Pattern.compile(SPACE + "+|" + OTHER + "+");

  private final int width;
  private final boolean breaksWords;
  private final boolean breaksAtHyphens;

  private WordWrap(int width, boolean breaksWords, boolean breaksAtHyphens) {
    this.width = width;
    this.breaksWords = breaksWords;
    this.breaksAtHyphens = breaksAtHyphens;
  }

  static Object wrap(Object[] v) {
    if (v[0] instanceof Undefined undefined) {
      throw undefined.error();
    }
    if (!Values.isText(v[0])) {
      throw TemplateException.type("wordwrap takes a text, not " + Values.typeName(v[0]));
    }
    String end = v[3] == null ? "\n" : Repr.str(v[3]);
    List<String> lines = new ArrayList<>();
    for (Object line : Texts.lines(Repr.str(v[0]))) {
      WordWrap wrap = new WordWrap(Numbers.size(v[1]), Values.truth(v[2]), Values.truth(v[4]));
      lines.add(String.join(end, wrap.lines((String) line)));
    }
    return String.join(end, lines);
  }

  private List<String> lines(String text) {
    if (width <= 0) {
      throw TemplateException.value("invalid width " + width + " (must be > 0)");
    }
    Deque<String> chunks = new ArrayDeque<>();
    Matcher matcher = (breaksAtHyphens ? WORDS : SIMPLE).matcher(text);
    int end = 0;
    while (matcher.find()) {
      if (matcher.start() > end) {
        chunks.add(text.substring(end, matcher.start()));
      }
      if (matcher.end() > matcher.start()) {
        chunks.add(matcher.group());
      }
      end = matcher.end();
    }
    if (end < text.length()) {
      chunks.add(text.substring(end));
    }
    List<String> lines = new ArrayList<>();
    while (!chunks.isEmpty()) {
      line(chunks, lines);
    }
    return lines;
  }

  private void line(Deque<String> chunks, List<String> lines) {
    List<String> line = new ArrayList<>();
    int length = 0;
    if (isBlank(chunks.peek()) && !lines.isEmpty()) {
      chunks.pop();
    }
    while (!chunks.isEmpty() && length + Texts.length(chunks.peek()) <= width) {
      String chunk = chunks.pop();
      length += Texts.length(chunk);
      line.add(chunk);
    }
    if (!chunks.isEmpty() && Texts.length(chunks.peek()) > width) {
      breakWord(chunks, line, length);
    }
    if (!line.isEmpty() && isBlank(line.get(line.size() - 1))) {
      line.remove(line.size() - 1);
    }
    if (!line.isEmpty()) {
      lines.add(String.join("", line));
    }
  }

  private static boolean isBlank(String chunk) {
    return Texts.strip(chunk, null).isEmpty();
  }

  private void breakWord(Deque<String> chunks, List<String> line, int length) {
    int left = width < 1 ? 1 : width - length;
    if (breaksWords) {
      String chunk = chunks.pop();
      int end = left;
      int size = Texts.length(chunk);
      if (breaksAtHyphens && size > left) {
        String head = Texts.part(chunk, 0, left);
        int hyphen = head.lastIndexOf('-');
        if (hyphen > 0 && head.substring(0, hyphen).chars().anyMatch(c -> c != '-')) {
          end = Texts.length(head.substring(0, hyphen)) + 1;
        }
      }
      line.add(Texts.part(chunk, 0, Math.min(end, size)));
      chunks.push(Texts.part(chunk, Math.min(end, size), size));
    } else if (line.isEmpty()) {
      line.add(chunks.pop());
    }
  }
}
