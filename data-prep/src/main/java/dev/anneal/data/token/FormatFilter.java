package dev.anneal.data.token;

import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.AdvancedFilter;
import java.util.Map;
import java.util.regex.Pattern;

/** {@code format} with widths that a text may have. */
final class FormatFilter implements AdvancedFilter {
  private static final Pattern WIDE = Pattern.compile("%[^a-zA-Z%]*\\d{4}");

  private final AdvancedFilter unbounded = new com.hubspot.jinjava.lib.filter.FormatFilter();

  @Override
  public String getName() {
    return "format";
  }

  @Override
  public Object filter(
      Object value, JinjavaInterpreter interpreter, Object[] args, Map<String, Object> kwargs) {
    if (value != null && WIDE.matcher(value.toString()).find()) {
      throw new InterpretException("it formats to more than 999 characters");
    }
    return unbounded.filter(value, interpreter, args, kwargs);
  }
}
