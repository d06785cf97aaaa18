package dev.anneal.spark.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs on Kubernetes: an unchanged Spark 4.1, its client, its pods. */
@ExtendWith(ContainersPermitted.class)
class KubernetesIT {
  private static final Duration PATIENCE = Duration.ofMinutes(5);

  @TempDir(cleanup = org.junit.jupiter.api.io.CleanupMode.NEVER)
  static Path folder;

  private static KubernetesRuns runs;

  @BeforeAll
  static void start() throws Exception {
    runs = KubernetesRuns.start(folder);
  }

  @AfterAll
  static void stop() {
    runs.close();
  }

  @Test
  void clusterModeTrainsAndEndsWithTheDriversPodSucceeded() throws Exception {
    try (Submission submission = runs.submit("cluster")) {
      assertThat(submission.await(PATIENCE)).as(submission.said()).isZero();
      Pod driver = runs.cluster().pods("driver").get(0);
      assertThat(driver.phase()).as(runs.cluster().log(driver)).isEqualTo("Succeeded");
    }
  }
}
