package dev.anneal.data.token;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;

/** {@code replace} as Python has it, within the limits of a rendering. */
final class ReplaceFilter implements Filter {

  @Override
  public String getName() {
    return "replace";
  }

  @Override
  public Object filter(Object value, JinjavaInterpreter interpreter, String... args) {
    if (value == null || args.length != 2 || args[0] == null || args[1] == null) {
      throw new IllegalArgumentException("replace takes two texts");
    }
    return PythonTexts.replace(value.toString(), args[0], args[1]);
  }
}
