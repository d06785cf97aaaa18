package dev.anneal.data.token;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;

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
    String characters = args.length == 0 ? null : args[0];
    return PythonTexts.rightStrip(PythonTexts.leftStrip(value.toString(), characters), characters);
  }
}
