package dev.anneal.data.token;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.filter.Filter;
import java.util.List;
import java.util.Map;

/** {@code items}: keys and values of a mapping as a list of pairs. */
final class ItemsFilter implements Filter {

  @Override
  public String getName() {
    return "items";
  }

  @Override
  public Object filter(Object value, JinjavaInterpreter interpreter, String... args) {
    return value instanceof Map<?, ?> map
        ? map.entrySet().stream().map(e -> List.of(e.getKey(), e.getValue())).toList()
        : List.of();
  }
}
