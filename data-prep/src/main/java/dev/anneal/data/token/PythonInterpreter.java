package dev.anneal.data.token;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.InterpreterFactory;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import java.util.Collection;
import java.util.Map;

/** Prints values as Python does: {@code True}, {@code ['a', 1.0]}. */
final class PythonInterpreter extends JinjavaInterpreter {
  static final InterpreterFactory FACTORY =
      new InterpreterFactory() {
        @Override
        public JinjavaInterpreter newInstance(JinjavaInterpreter original) {
          return new PythonInterpreter(original);
        }

        @Override
        public JinjavaInterpreter newInstance(
            Jinjava application, Context context, JinjavaConfig config) {
          return new PythonInterpreter(application, context, config);
        }
      };

  private PythonInterpreter(JinjavaInterpreter original) {
    super(original);
  }

  private PythonInterpreter(Jinjava application, Context context, JinjavaConfig config) {
    super(application, context, config);
  }

  @Override
  public String getAsString(Object value) {
    boolean printedOtherwise =
        value instanceof Boolean
            || value instanceof Double
            || value instanceof Map<?, ?>
            || value instanceof Collection<?>;
    return printedOtherwise ? PythonJson.repr(value) : super.getAsString(value);
  }
}
