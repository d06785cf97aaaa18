package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.ServerProcess;
import dev.anneal.spark.SubmittedJob;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Model, data and output on HDFS: a name node and a data node in a process of their own. */
class HdfsIT {
  private static final Path TARGET = FaultCluster.HOME.resolve("spark-job/target");
  private static final Duration PATIENCE = Duration.ofMinutes(4);

  @TempDir static Path folder;

  private static ServerProcess server;
  private static Storage storage;

  @BeforeAll
  static void start() throws Exception {
    int port = ServerProcess.freePort();
    // written when the data node is there
    Path started = folder.resolve("started.json");
    server =
        ServerProcess.start(
            port,
            folder.resolve("hdfs.log"),
            List.of(
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                "%s/hdfs-server/*:%s/spark-home/jars/*".formatted(TARGET, TARGET),
                "org.apache.hadoop.test.MiniDFSClusterManager",
                "-datanodes",
                "1",
                "-nnport",
                Integer.toString(port),
                "-httpport",
                "0",
                "-format",
                "-D",
                "hdfs.minidfs.basedir=" + folder.resolve("blocks"),
                "-writeDetails",
                started.toString()));
    Await.until(PATIENCE, () -> "no data node", () -> Files.exists(started));
    Configuration hadoop = new Configuration();
    hadoop.setInt("dfs.replication", 1);
    storage = new Storage(hadoop);
    Path recipe = SubmittedJob.recipe().resolveSibling("tiny");
    copy(recipe.resolve("instructions.json"), "tiny/instructions.json");
    try (Stream<Path> files = Files.list(recipe.resolve("model"))) {
      for (Path file : files.toList()) {
        copy(file, "tiny/model/" + file.getFileName());
      }
    }
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @Test
  void aRunGoesOnAfterItsDriverWasKilledAndEndsLikeOneOnLocalFiles() throws Exception {
    RunOutput local = new RunOutput(folder.resolve("local"));
    try (SubmittedJob job = run(local.location())) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
    try (SubmittedJob job = run(uri("out"))) {
      Await.until(
          PATIENCE,
          () -> job.out() + job.err(),
          () -> storage.exists(uri("out/checkpoints/step-00000004/manifest.json")));
      List<ProcessHandle> processes = job.processes();
      job.driver().destroyForcibly();
      assertThat(job.await()).isEqualTo(128 + 9);
      job.assertNothingLeft(processes);
    }
    assertThat(storage.exists(uri("out/adapter"))).isFalse();
    try (SubmittedJob again = run(uri("out"))) {
      assertThat(again.await()).as(again.out() + again.err()).isZero();
      assertThat(again.out())
          .containsPattern("Going on after step \\d+ \\.\\.\\.")
          .contains(
              "Next: copy %s and %s to local folders,"
                  .formatted(uri("tiny/model"), uri("out/adapter")));
    }
    RunOutput.copyOf(storage, uri("out"), folder.resolve("copy")).assertSameAs(local);
    assertThat(storage.exists(uri("out/_attempts"))).isFalse();
  }

  private static SubmittedJob run(String output) throws IOException {
    List<String> sets =
        List.of(
            "model.path=" + uri("tiny/model"),
            "data.source=" + uri("tiny/instructions.json"),
            "data.eval_rows=0",
            "training.max_steps=20",
            "checkpoint.every_steps=4",
            "output.path=" + output);
    List<String> words =
        new ArrayList<>(List.of("run", "--config", SubmittedJob.recipe().toString()));
    sets.forEach(set -> words.addAll(List.of("--set", set)));
    words.addAll(List.of("--conf", "spark.hadoop.dfs.replication=1"));
    return SubmittedJob.start(folder, words.toArray(String[]::new));
  }

  private static String uri(String path) {
    return "hdfs://127.0.0.1:%d/%s".formatted(server.port(), path);
  }

  private static void copy(Path file, String path) throws IOException {
    storage.write(uri(path), out -> Files.copy(file, out));
  }
}
