package dev.anneal.data.token;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.InterpreterFactory;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;

/** Prints values as Python does: {@code True}, {@code ['a', 1.0]}. */
final class PythonInterpreter extends JinjavaInterpreter {
  private final RenderLimits limits;

  /**
   * @param time that one rendering may take
   */
  static InterpreterFactory factory(Duration time) {
    return new InterpreterFactory() {
      @Override
      public JinjavaInterpreter newInstance(JinjavaInterpreter original) {
        return new PythonInterpreter((PythonInterpreter) original);
      }

      @Override
      public JinjavaInterpreter newInstance(
          Jinjava application, Context context, JinjavaConfig config) {
        return new PythonInterpreter(application, context, config, new RenderLimits(time));
      }
    };
  }

  private PythonInterpreter(PythonInterpreter original) {
    super(original);
    this.limits = original.limits;
  }

  private PythonInterpreter(
      Jinjava application, Context context, JinjavaConfig config, RenderLimits limits) {
    super(application, context, config);
    this.limits = limits;
  }

  RenderLimits limits() {
    return limits;
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
