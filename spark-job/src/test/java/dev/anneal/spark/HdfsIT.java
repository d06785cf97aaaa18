package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.data.io.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Model, data and output on HDFS: a name node and a data node in a process of their own. */
class HdfsIT {
  private static final Path TARGET = Path.of(System.getProperty("anneal.home"), "spark-job/target");
  private static final String ADAPTER = "adapter/adapter_model.safetensors";
  private static final Duration PATIENCE = Duration.ofSeconds(60);

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
    await(() -> Files.exists(started));
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
    Path local = folder.resolve("local");
    try (SubmittedJob job = start("output.path=" + local)) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
    String[] onHdfs = {
      "model.path=" + uri("tiny/model"),
      "data.source=" + uri("tiny/instructions.json"),
      "output.path=" + uri("out")
    };
    try (SubmittedJob job = start(onHdfs)) {
      await(() -> storage.exists(uri("out/checkpoints/step-00000004/manifest.json")));
      job.driver().destroyForcibly();
      assertThat(job.await()).isEqualTo(128 + 9);
    }
    assertThat(storage.exists(uri("out/adapter"))).isFalse();
    try (SubmittedJob again = start(onHdfs)) {
      assertThat(again.await()).as(again.out() + again.err()).isZero();
      assertThat(again.out()).containsPattern("Going on after step \\d+ \\.\\.\\.");
    }
    try (InputStream adapter = storage.open(uri("out/" + ADAPTER))) {
      assertThat(adapter).hasBinaryContent(Files.readAllBytes(local.resolve(ADAPTER)));
    }
    assertThat(storage.exists(uri("out/_attempts"))).isFalse();
  }

  private static SubmittedJob start(String... sets) throws IOException {
    List<String> words =
        new ArrayList<>(List.of("run", "--config", SubmittedJob.recipe().toString()));
    List<String> all =
        new ArrayList<>(
            List.of("training.max_steps=20", "checkpoint.every_steps=4", "data.eval_rows=0"));
    all.addAll(List.of(sets));
    all.forEach(set -> words.addAll(List.of("--set", set)));
    words.addAll(List.of("--conf", "spark.hadoop.dfs.replication=1"));
    return SubmittedJob.start(folder, words.toArray(String[]::new));
  }

  private static void await(Callable<Boolean> condition) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!condition.call()) {
      assertThat(System.nanoTime()).as("in time").isLessThan(deadline);
      Thread.sleep(50);
    }
  }

  private static String uri(String path) {
    return "hdfs://127.0.0.1:%d/%s".formatted(server.port(), path);
  }

  private static void copy(Path file, String path) throws IOException {
    storage.write(uri(path), out -> Files.copy(file, out));
  }
}
