package dev.anneal.spark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The jars that {@code mvn -Pdist package} makes for users' clusters. */
final class RuntimeJars {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));

  private RuntimeJars() {}

  /** The native libraries for CPUs. */
  static Path natives() throws IOException {
    return jar("natives/cpu/target", "anneal-natives-cpu-");
  }

  /**
   * Everything else.
   *
   * @param line of Spark and Scala, such as {@code 4.1_2.13}
   */
  static Path of(String line) throws IOException {
    return jar(
        "spark-runtime/%s/target".formatted(line), "anneal-spark-runtime-%s-".formatted(line));
  }

  private static Path jar(String folder, String prefix) throws IOException {
    try (Stream<Path> files = Files.list(HOME.resolve(folder))) {
      return files
          .filter(file -> file.getFileName().toString().matches(prefix + "[0-9.]+\\.jar"))
          .findFirst()
          .orElseThrow(() -> new AssertionError("build it first: mvn -Pdist package"));
    }
  }
}
