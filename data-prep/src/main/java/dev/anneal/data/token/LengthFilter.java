package dev.anneal.data.token;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;

/** {@code length} as Python has it: a text has as many characters as code points. */
final class LengthFilter implements Filter {
  private final Filter others = new com.hubspot.jinjava.lib.filter.LengthFilter();

  @Override
  public String getName() {
    return "length";
  }

  @Override
  public Object filter(Object value, JinjavaInterpreter interpreter, String... args) {
    return value instanceof CharSequence text
        ? (Object) (int) text.codePoints().count()
        : others.filter(value, interpreter, args);
  }
}
