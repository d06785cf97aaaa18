package dev.anneal.data.token;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.tree.Node;
import java.util.List;
import java.util.Map;

/**
 * A template that is parsed once and rendered often. {@link Jinjava#renderForResult} parses it and
 * registers every filter and function anew for each text, which takes longer than the rendering.
 * For use by one thread at a time.
 */
final class ParsedTemplate {
  private final Jinjava jinjava;
  private final Node root;
  private final List<TemplateError> parseErrors;

  ParsedTemplate(Jinjava jinjava, String template) {
    this.jinjava = jinjava;
    JinjavaInterpreter parser = interpreter(Map.of());
    try {
      TemplateSandbox.require(template);
      this.root = parser.parse(template);
    } catch (StackOverflowError e) {
      throw new InterpretException("it is nested too deep", e);
    }
    this.parseErrors = parser.getErrorsCopy();
  }

  /** Same as {@link Jinjava#renderForResult}. */
  RenderResult render(Map<String, ?> variables) {
    PythonInterpreter interpreter = interpreter(variables);
    parseErrors.forEach(interpreter::addError);
    try {
      String text = interpreter.render(root);
      interpreter.limits().requireTime();
      return new RenderResult(text, interpreter.getContext(), interpreter.getErrorsCopy());
    } catch (RuntimeException e) {
      return failed(e, interpreter);
    } catch (StackOverflowError e) {
      return failed(new InterpretException("it is nested too deep", e), interpreter);
    } finally {
      // what a rendering resolved would pile up there
      jinjava.getGlobalContext().reset();
    }
  }

  private static RenderResult failed(RuntimeException e, PythonInterpreter interpreter) {
    return new RenderResult(
        TemplateError.fromException(e), interpreter.getContext(), interpreter.getErrorsCopy());
  }

  private PythonInterpreter interpreter(Map<String, ?> variables) {
    JinjavaConfig config = jinjava.getGlobalConfig();
    Context context = new Context(jinjava.getGlobalContext(), variables, config.getDisabled());
    return (PythonInterpreter) config.getInterpreterFactory().newInstance(jinjava, context, config);
  }
}
