package dev.anneal.spark.yarn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

class YarnIT {
  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  static Path folder;

  private static YarnCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    cluster = YarnCluster.start(folder);
    cluster.hdfs().putRecipe();
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @Test
  void client() throws Exception {
    try (SubmittedJob job =
        cluster.submit(
            "client",
            List.of(
                "prep",
                "--config",
                SubmittedJob.recipe().toString(),
                "--set",
                "model.path=" + cluster.hdfs().uri("tiny/model"),
                "--set",
                "data.source=" + cluster.hdfs().uri("tiny/instructions.json"),
                "--set",
                "output.path=" + cluster.hdfs().uri("out")))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      YarnApplication app = cluster.application("client");
      System.out.println(app.awaitEnd());
      System.out.println(app.attempts());
      System.out.println(job.out() + job.err());
      System.out.println(cluster.logs(app));
    }
  }
}
