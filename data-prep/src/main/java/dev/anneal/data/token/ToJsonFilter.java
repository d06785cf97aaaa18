package dev.anneal.data.token;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.AdvancedFilter;
import java.util.Map;

/** {@code tojson} as Hugging Face gives it to chat templates: nothing is escaped for HTML. */
final class ToJsonFilter implements AdvancedFilter {
  private static final int MAX_INDENT = 32;

  @Override
  public String getName() {
    return "tojson";
  }

  @Override
  public Object filter(
      Object value, JinjavaInterpreter interpreter, Object[] args, Map<String, Object> kwargs) {
    if (args.length > 0 || kwargs.keySet().stream().anyMatch(name -> !name.equals("indent"))) {
      throw new IllegalArgumentException("tojson takes no argument but indent=NUMBER");
    }
    if (kwargs.get("indent") instanceof Number most && most.longValue() > MAX_INDENT) {
      throw new IllegalArgumentException("tojson indents by at most " + MAX_INDENT);
    }
    return kwargs.get("indent") instanceof Number indent
        ? PythonJson.dumps(value, indent.intValue())
        : PythonJson.dumps(value);
  }
}
