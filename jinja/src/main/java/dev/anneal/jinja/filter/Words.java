package dev.anneal.jinja.filter;

import java.util.regex.Pattern;

/** Words as Python's regular expressions find them. */
final class Words {
  static final String CHARACTER = "[\\p{L}\\p{N}_]";
  private static final Pattern WORD = Pattern.compile(CHARACTER + "+");

  private Words() {}

  static long count(String text) {
    return WORD.matcher(text).results().count();
  }
}
