package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.HdfsServer;
import dev.anneal.spark.SubmittedJob;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Model, data and output on HDFS: a name node and a data node in a process of their own. */
@Tag("faults")
class HdfsIT {
  private static final Duration PATIENCE = Duration.ofMinutes(4);

  @TempDir static Path folder;

  private static HdfsServer server;

  @BeforeAll
  static void start() throws Exception {
    server = HdfsServer.start(folder);
    server.putRecipe();
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
    try (SubmittedJob job = run(server.uri("out"))) {
      Await.until(
          PATIENCE,
          () -> job.out() + job.err(),
          () -> server.storage().exists(server.uri("out/checkpoints/step-00000004/manifest.json")));
      List<ProcessHandle> processes = job.processes();
      job.driver().destroyForcibly();
      assertThat(job.await()).isEqualTo(128 + 9);
      job.assertNothingLeft(processes);
    }
    assertThat(server.storage().exists(server.uri("out/adapter"))).isFalse();
    try (SubmittedJob again = run(server.uri("out"))) {
      assertThat(again.await()).as(again.out() + again.err()).isZero();
      assertThat(again.out())
          .containsPattern("Going on after step \\d+ \\.\\.\\.")
          .contains(
              "Next: copy %s and %s to local folders,"
                  .formatted(server.uri("tiny/model"), server.uri("out/adapter")));
    }
    RunOutput.copyOf(server.storage(), server.uri("out"), folder.resolve("copy"))
        .assertSameAs(local);
    assertThat(server.storage().exists(server.uri("out/_attempts"))).isFalse();
  }

  private static SubmittedJob run(String output) throws IOException {
    List<String> sets =
        List.of(
            "model.path=" + server.uri("tiny/model"),
            "data.source=" + server.uri("tiny/instructions.json"),
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
}
