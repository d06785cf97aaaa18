package dev.anneal.spark.doctor;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs a program of the host that tells something. */
final class Commands {
  private static final int LIMIT_SECONDS = 4;

  private Commands() {}

  /**
   * What it prints.
   *
   * @throws IOException if it is not there, fails, or takes longer than {@value #LIMIT_SECONDS} s
   */
  static String output(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try {
      process.getOutputStream().close();
      if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        throw new IOException(command.get(0) + " does not end");
      }
      String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.exitValue() != 0) {
        throw new IOException(text.lines().findFirst().orElse(command.get(0) + " fails"));
      }
      return text.strip();
    } finally {
      process.destroyForcibly();
    }
  }
}
