package dev.anneal.spark.evaluate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.Anneal;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that is told to end leaves nothing of what it has prepared. */
class EvaluationInterruptionIT {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  private static final String ROW = "{\"instruction\":\"Say %s.\",\"output\":\"It is %s.\"}\n";

  @TempDir Path dir;

  @Test
  void leavesNothingOfWhatItHasPrepared() throws Exception {
    StringBuilder rows = new StringBuilder();
    for (int i = 0; i < 50_000; i++) {
      rows.append(ROW.formatted(i, i));
    }
    Path source = Files.writeString(dir.resolve("rows.jsonl"), rows);
    Path output = dir.resolve("out");
    Process driver = start(source, output);
    try {
      while (files(output).isEmpty()) {
        assertThat(driver.isAlive()).as(log()).isTrue();
        Thread.sleep(20);
      }
      driver.destroy();
      assertThat(driver.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(driver.exitValue()).as(log()).isNotZero();
      assertThat(output).as(log()).isEmptyDirectory();
    } finally {
      driver.destroyForcibly();
    }
  }

  private Process start(Path source, Path output) throws IOException {
    List<String> packages =
        List.of("lang", "lang.invoke", "io", "net", "nio", "util", "util.concurrent");
    Stream<String> opened =
        Stream.concat(packages.stream().map("java."::concat), Stream.of("sun.nio.ch"))
            .map("--add-opens=java.base/%s=ALL-UNNAMED"::formatted);
    Stream<String> command =
        Stream.of(
            "-Dspark.master=local[2]",
            "-Dspark.driver.bindAddress=127.0.0.1",
            "-Dspark.driver.host=127.0.0.1",
            "-Dspark.ui.enabled=false",
            "-cp",
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
            Anneal.class.getName(),
            "evaluate",
            "--model",
            CONF.resolve("tiny/model").toString(),
            "--data",
            source.toString(),
            "--output",
            output.toString());
    Stream<String> java =
        Stream.of(
            Path.of(System.getProperty("java.home"), "bin/java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-Xmx1g");
    return new ProcessBuilder(Stream.of(java, opened, command).flatMap(part -> part).toList())
        .directory(dir.toFile())
        .redirectErrorStream(true)
        .redirectOutput(dir.resolve("log").toFile())
        .start();
  }

  private String log() throws IOException {
    return Files.readString(dir.resolve("log"));
  }

  /** What has been prepared. */
  private static List<Path> files(Path output) throws IOException {
    if (!Files.isDirectory(output)) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(output)) {
      return files.filter(file -> file.toString().contains("_evaluation-")).toList();
    } catch (UncheckedIOException gone) {
      return List.of();
    }
  }
}
