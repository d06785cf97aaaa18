package dev.anneal.jinja;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Scripts that ask Jinja2 itself, each in a Python environment of its own below {@code target}. */
final class PythonJinja {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"), "jinja");
  private static final Path SCRIPTS = HOME.resolve("src/test/python");

  private PythonJinja() {}

  /**
   * A file of what a script prints, a case a line.
   *
   * @param script name without its ending, as in {@code fuzz-requirements.txt}
   */
  static Path cases(String script, List<String> arguments)
      throws IOException, InterruptedException {
    return cases(script, script, arguments);
  }

  /** Same as above, in the environment of another script. */
  static Path cases(String environment, String script, List<String> arguments)
      throws IOException, InterruptedException {
    Path python = environment(environment).resolve("bin/python");
    List<String> command = new ArrayList<>();
    command.add(python.toString());
    command.add(SCRIPTS.resolve(script + ".py").toString());
    command.addAll(arguments);
    Path cases = HOME.resolve("target/" + script + "-cases.jsonl");
    run(command, cases);
    return cases;
  }

  private static Path environment(String script) throws IOException, InterruptedException {
    Path environment = HOME.resolve("target/python-" + script);
    Path ready = environment.resolve("ready");
    if (!Files.exists(ready)) {
      run(List.of("python3", "-m", "venv", environment.toString()), null);
      run(
          List.of(
              environment.resolve("bin/python").toString(),
              "-m",
              "pip",
              "install",
              "-q",
              "--disable-pip-version-check",
              "-r",
              SCRIPTS.resolve(script + "-requirements.txt").toString()),
          null);
      Files.createFile(ready);
    }
    return environment;
  }

  private static void run(List<String> command, Path output)
      throws IOException, InterruptedException {
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
    if (output == null) {
      builder.redirectOutput(ProcessBuilder.Redirect.DISCARD);
    } else {
      builder.redirectOutput(output.toFile());
    }
    int code = builder.start().waitFor();
    if (code != 0) {
      throw new IOException(command + " ended with " + code);
    }
  }
}
