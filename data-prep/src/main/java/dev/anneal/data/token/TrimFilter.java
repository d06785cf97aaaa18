package dev.anneal.data.token;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import java.util.function.IntPredicate;

/** {@code trim} as Python has it: white space of all of Unicode, or the given characters. */
final class TrimFilter implements Filter {

  @Override
  public String getName() {
    return "trim";
  }

  @Override
  public Object filter(Object value, JinjavaInterpreter interpreter, String... args) {
    if (value == null) {
      return "";
    }
    IntPredicate dropped =
        args.length == 0 || args[0] == null ? TrimFilter::isSpace : c -> args[0].indexOf(c) >= 0;
    return trim(value.toString(), dropped);
  }

  private static String trim(String text, IntPredicate dropped) {
    int start = 0;
    int end = text.length();
    while (start < end && dropped.test(text.charAt(start))) {
      start++;
    }
    while (end > start && dropped.test(text.charAt(end - 1))) {
      end--;
    }
    return text.substring(start, end);
  }

  // Java's two notions of a space leave out the next-line character.
  private static boolean isSpace(int c) {
    return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
  }
}
