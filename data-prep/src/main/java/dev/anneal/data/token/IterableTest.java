package dev.anneal.data.token;

import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.exptest.ExpTest;
import java.util.Map;

/** {@code is iterable} as Python has it: a text is iterable, a mapping too. */
final class IterableTest implements ExpTest {

  @Override
  public String getName() {
    return "iterable";
  }

  @Override
  public boolean evaluate(Object value, JinjavaInterpreter interpreter, Object... args) {
    return value instanceof CharSequence
        || value instanceof Map<?, ?>
        || value instanceof Iterable<?>
        || (value != null && value.getClass().isArray());
  }
}
