package dev.anneal.spark.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The {@code spark-submit} of an unchanged Spark, in a process of its own. */
final class Submission implements AutoCloseable {
  private final Process process;
  private final Path log;

  private Submission(Process process, Path log) {
    this.process = process;
    this.log = log;
  }

  static Submission start(Path sparkHome, Path folder, List<String> words) throws IOException {
    List<String> command = new ArrayList<>(List.of(sparkHome.resolve("bin/spark-submit") + ""));
    command.addAll(words);
    Path log = Files.createTempFile(folder, "submission", ".log");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
    builder.environment().put("SPARK_HOME", sparkHome.toString());
    return new Submission(builder.start(), log);
  }

  /** Waits for its end; returns its exit code, and fails if it does not end in time. */
  int await(Duration patience) throws InterruptedException, IOException {
    assertThat(process.waitFor(patience.toSeconds(), TimeUnit.SECONDS)).as(said()).isTrue();
    return process.exitValue();
  }

  String said() throws IOException {
    return Files.readString(log);
  }

  @Override
  public void close() {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }
}
