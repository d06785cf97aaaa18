package dev.anneal.spark.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.RunOutput;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of runs on Kubernetes whose pods are taken away. */
@Tag("faults")
@ExtendWith(ContainersPermitted.class)
class KubernetesFaultsIT {
  private static final int TERMINATED = 143;

  /** Enough that a pod can be deleted while it trains. */
  private static final String[] LONG = {
    "--set", "training.max_steps=100", "--set", "checkpoint.every_steps=20"
  };

  @TempDir static Path folder;

  private static KubernetesRuns runs;
  private static RunOutput undisturbed;

  /** Lets a run through in client mode, from outside of the cluster, with jars that are sent. */
  @BeforeAll
  static void start() throws Exception {
    runs = KubernetesRuns.start(folder);
    undisturbed = runs.output("undisturbed");
    try (SubmittedJob job = runs.submitClient("run", "undisturbed", LONG)) {
      List<Pod> executors = runs.cluster().awaitExecutors(2);
      assertThat(executors).allMatch(pod -> pod.words("args").equals(List.of("executor")));
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
  }

  @AfterAll
  static void stop() {
    runs.close();
  }

  @BeforeEach
  void noExecutorsOfTheLastTest() throws Exception {
    runs.cluster().awaitExecutors(0);
  }

  @Test
  void aDeletedExecutorIsReplacedAndTheRunGoesOn() throws Exception {
    RunOutput output = runs.output("executor-deleted");
    Pod driver = runs.startJob("executor-deleted", LONG);
    runs.awaitCheckpoint(output, 20);
    runs.cluster().delete(runs.cluster().awaitExecutors(2).get(0));
    driver = runs.cluster().awaitEnd(driver, KubernetesRuns.PATIENCE);
    assertThat(driver.exitCode()).as(runs.cluster().log(driver)).isZero();
    output.assertSameNumbersAs(undisturbed);
    JsonNode attempts = output.record().path("attempts");
    assertThat(attempts).hasSize(2);
    assertThat(attempts.path(1).path("resumed_from_step").asInt()).isGreaterThanOrEqualTo(20);
  }

  @Test
  void aDeletedDriverTakesACheckpointAndTheNextPodGoesOn() throws Exception {
    RunOutput output = runs.output("driver-deleted");
    Pod driver = runs.startJob("driver-deleted", LONG);
    runs.awaitCheckpoint(output, 20);
    runs.cluster().delete(driver);
    assertThat(runs.cluster().awaitDeleted(driver)).isEqualTo(TERMINATED);
    output.assertFailed("The run was interrupted. The same command goes on after step \\d+\\.");

    driver = runs.startJob("driver-deleted", LONG);
    driver = runs.cluster().awaitEnd(driver, KubernetesRuns.PATIENCE);
    assertThat(driver.exitCode()).as(runs.cluster().log(driver)).isZero();
    output.assertSameNumbersAs(undisturbed);
  }

  @Test
  void whatIsRefusedInClusterModeIsTheContainersExitCode() throws Exception {
    try (Submission submission = runs.submit("refused", "--set", "data.max_length=0")) {
      Pod driver = runs.cluster().await("refused");
      driver = runs.cluster().awaitEnd(driver, KubernetesRuns.PATIENCE);
      assertThat(driver.exitCode()).as(runs.cluster().log(driver)).isEqualTo(2);
      // spark-submit itself only says so
      assertThat(submission.await(KubernetesRuns.PATIENCE)).as(submission.said()).isZero();
      assertThat(submission.said()).contains("exit code: 2");
    }
  }

  @Test
  void whatFailsInClusterModeIsTheContainersExitCode() throws Exception {
    String[] diverging = {"--set", "optimizer.learning_rate=1e30", "--set", "data.eval_rows=0"};
    try (Submission submission = runs.submit("failed", diverging)) {
      Pod driver = runs.cluster().await("failed");
      driver = runs.cluster().awaitEnd(driver, KubernetesRuns.PATIENCE);
      assertThat(driver.exitCode()).as(runs.cluster().log(driver)).isEqualTo(1);
      assertThat(runs.cluster().log(driver)).contains("the loss is NaN");
      assertThat(submission.await(KubernetesRuns.PATIENCE)).as(submission.said()).isZero();
      assertThat(submission.said()).contains("exit code: 1");
    }
  }

  @Test
  void podsAskForTheGpusOfTheVendor() throws Exception {
    // the pods find no GPU here, so only data is prepared; Spark's script counts this variable
    try (SubmittedJob job =
        runs.submitClient(
            "prep",
            "gpus",
            "--properties-file",
            runs.properties("spark.conf", "spark-gpu.conf").toString(),
            "--conf",
            "spark.executorEnv.CUDA_VISIBLE_DEVICES=0,1,2,3,4,5,6,7")) {
      List<Pod> executors = runs.cluster().awaitExecutors(2);
      assertThat(executors).allMatch(pod -> pod.limit("nvidia.com/gpu").equals("8"));
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
  }
}
