package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.syntax.Position;

/** Says where in the template something failed. */
final class Located {
  private Located() {}

  static Code code(Code code, Position at) {
    return frame -> {
      try {
        return code.value(frame);
      } catch (TemplateException e) {
        throw e.at(at.line(), at.column());
      }
    };
  }

  static Action action(Action action, Position at) {
    return (frame, out) -> {
      try {
        return action.run(frame, out);
      } catch (TemplateException e) {
        throw e.at(at.line(), at.column());
      }
    };
  }
}
