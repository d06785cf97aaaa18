package dev.anneal.spark;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Whole distributions of Spark as its users have them. */
public final class UnchangedSpark {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));

  private UnchangedSpark() {}

  /**
   * The {@code SPARK_HOME} of a line of Spark.
   *
   * @param line such as {@code 4.1}
   */
  public static Path home(String line) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(HOME.resolve(".ci/spark-home").toString(), line)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String home = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException("there is no Spark " + line);
    }
    return Path.of(home.strip());
  }
}
