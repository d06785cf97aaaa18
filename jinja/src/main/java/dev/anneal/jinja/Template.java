package dev.anneal.jinja;

import dev.anneal.jinja.run.Program;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;

/**
 * A chat template, read once and rendered often as transformers' {@code apply_chat_template} does
 * it: Jinja2's {@code ImmutableSandboxedEnvironment} with {@code trim_blocks}, {@code
 * lstrip_blocks}, loop controls, {@code generation}, {@code tojson}, {@code raise_exception} and
 * {@code strftime_now}. Safe for use by several threads.
 */
public final class Template {
  private final Program program;

  private Template(Program program) {
    this.program = program;
  }

  /**
   * Reads a template.
   *
   * @throws dev.anneal.jinja.error.TemplateException if the text is not a template, with line and
   *     column
   */
  public static Template of(String text) {
    return new Template(Program.of(text));
  }

  /** Whether the template marks what the assistant says, by {@code {% generation %}}. */
  public boolean marksGenerations() {
    return program.marksGenerations();
  }

  /**
   * What a rendering depends on beside the variables.
   *
   * @param now what {@code strftime_now} prints
   * @param maxTime how long it may take
   */
  public record Settings(ZonedDateTime now, Duration maxTime) {}

  /**
   * A rendered text.
   *
   * @param generations {@code [start, end)} of what stands between {@code {% generation %}} and its
   *     end, in UTF-16 units of the text, in the order in which it is printed
   */
  public record Rendering(String text, List<int[]> generations) {}

  /**
   * Renders the template.
   *
   * @param variables of lists, maps with texts for keys, texts, numbers, truth values and null
   * @throws dev.anneal.jinja.error.TemplateException if the template fails or refuses, with line
   *     and column
   */
  public Rendering render(Map<String, ?> variables, Settings settings) {
    Program.Result result = program.run(variables, settings.now(), settings.maxTime());
    return new Rendering(result.text(), result.generations());
  }
}
