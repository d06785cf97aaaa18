package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Values;
import dev.anneal.jinja.syntax.TemplateParser;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A template that is read once and run often. Safe for use by several threads. */
public final class Program {
  private final Compiler.Compiled compiled;

  private Program(Compiler.Compiled compiled) {
    this.compiled = compiled;
  }

  /**
   * Reads a template.
   *
   * @throws TemplateException if it is none
   */
  public static Program of(String template) {
    try {
      return new Program(Compiler.compile(TemplateParser.parse(template)));
    } catch (StackOverflowError e) {
      throw TemplateException.limit("it is nested too deep");
    }
  }

  /** Whether the template has the {@code generation} tag. */
  public boolean marksGenerations() {
    return compiled.generates();
  }

  /**
   * What a template printed.
   *
   * @param generations {@code [start, end)} of what the assistant says, in UTF-16 units
   */
  public record Result(String text, List<int[]> generations) {}

  /**
   * Runs the template.
   *
   * @throws TemplateException if it fails
   */
  public Result run(Map<String, ?> variables, ZonedDateTime now, Duration maxTime) {
    Map<String, Object> given = new HashMap<>();
    variables.forEach((name, value) -> given.put(name, Values.of(value)));
    Run run = new Run(new Budget(maxTime), compiled.blocks());
    Context context = new Context(Globals.at(now), given);
    try {
      compiled.body().run(new Frame(compiled.function(), null, run, context), run.root());
    } catch (StackOverflowError e) {
      throw TemplateException.limit("its calls are nested too deep");
    }
    String text = run.root().toString();
    return new Result(text, run.generations(text));
  }
}
