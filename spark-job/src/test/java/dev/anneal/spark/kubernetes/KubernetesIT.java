package dev.anneal.spark.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs on Kubernetes: an unchanged Spark 4.1, its client, its pods. */
@ExtendWith(ContainersPermitted.class)
class KubernetesIT {
  @TempDir static Path folder;

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
  void inClusterModeTheDriversPodSucceeds() throws Exception {
    try (Submission submission = runs.submit("cluster")) {
      List<Pod> executors = runs.cluster().awaitExecutors(2);
      assertThat(executors).allMatch(pod -> pod.grace().equals(Duration.ofMinutes(2)));

      assertThat(submission.await(KubernetesRuns.PATIENCE)).as(submission.said()).isZero();
    }
    Pod driver = runs.cluster().await("cluster");
    assertThat(driver.exitCode()).as(runs.cluster().log(driver)).isZero();
    assertThat(driver.phase()).isEqualTo("Succeeded");
    assertThat(driver.grace()).isEqualTo(Duration.ofMinutes(3));
    assertThat(runs.cluster().log(driver)).contains("Adapter   /data/cluster/adapter");
    runs.output("cluster").assertPublished();
  }

  @Test
  void whatIsRefusedIsTheContainersExitCode() throws Exception {
    Pod driver = runs.startJob("refused", "--set", "data.max_length=0");
    driver = runs.cluster().awaitEnd(driver, KubernetesRuns.PATIENCE);
    assertThat(driver.exitCode()).as(runs.cluster().log(driver)).isEqualTo(2);
    assertThat(driver.phase()).isEqualTo("Failed");
    assertThat(runs.cluster().log(driver)).containsPattern("anneal: .*data\\.max_length");
    assertThat(runs.output("refused").folder()).doesNotExist();
  }
}
