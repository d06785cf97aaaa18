package dev.anneal.jinja;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Jinja2 itself, in a Python environment below {@code target}. */
final class PythonJinja {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"), "jinja");
  private static final Path VENV = HOME.resolve("target/python");
  private static final Path SCRIPTS = HOME.resolve("src/test/python");

  private PythonJinja() {}

  /** A file of generated cases, one a line. */
  static Path cases(int count, String seed) throws IOException, InterruptedException {
    Path python = VENV.resolve("bin/python");
    Path ready = VENV.resolve("ready");
    if (!Files.exists(ready)) {
      run(List.of("python3", "-m", "venv", VENV.toString()), null);
      run(
          List.of(
              python.toString(),
              "-m",
              "pip",
              "install",
              "-q",
              "--disable-pip-version-check",
              "-r",
              SCRIPTS.resolve("requirements.txt").toString()),
          null);
      Files.createFile(ready);
    }
    Path cases = HOME.resolve("target/fuzz-cases.jsonl");
    run(List.of(python.toString(), SCRIPTS.resolve("fuzz.py").toString(), "" + count, seed), cases);
    return cases;
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
