package dev.anneal.spark.faults;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Short commands of the system: {@code ip}, {@code mount}, {@code kill}. */
final class Shell {
  private Shell() {}

  private record Said(int code, String text) {}

  /**
   * Runs a command given as words with single spaces between; returns what it prints.
   *
   * @throws IllegalStateException with what it said, if it fails
   */
  static String run(String command) {
    Said said = execute(command);
    if (said.code() != 0) {
      throw new IllegalStateException(command + ": " + said.text());
    }
    return said.text();
  }

  /** Runs a command that may fail, as when what it removes is not there. */
  static void attempt(String command) {
    execute(command);
  }

  private static Said execute(String command) {
    try {
      Process process =
          new ProcessBuilder(List.of(command.split(" "))).redirectErrorStream(true).start();
      String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Said(process.waitFor(), text.strip());
    } catch (IOException e) {
      throw new UncheckedIOException(command, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(command, e);
    }
  }
}
