package dev.anneal.spark.yarn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.RunOutput;
import dev.anneal.spark.yarn.YarnRun.Mode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What becomes of a run on YARN that cannot go on, or loses a container. */
@Tag("faults")
class YarnFaultsIT {
  /** So many that a run is not over before something happens to it. */
  private static final int STEPS = 120;

  private static final int CHECKPOINT_STEPS = 10;
  private static final String NO_FOLDER = "data.source=hdfs:///no/such/rows.json";

  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  static Path folder;

  private static YarnCluster cluster;
  private static RunOutput undisturbed;

  @BeforeAll
  static void startCluster() throws Exception {
    cluster = YarnCluster.start(folder);
    try (YarnRun run = start(Mode.CLIENT, "undisturbed")) {
      undisturbed = succeeded(run);
    }
  }

  @AfterAll
  static void stopCluster() {
    cluster.close();
  }

  @Test
  void aBadRequestToAnApplicationMasterIsNotRepeated() throws Exception {
    try (YarnRun run = start(Mode.CLUSTER, "bad", "--set", NO_FOLDER)) {
      run.assertExit(1);
      assertFailed(run, "data.source hdfs:///no/such/rows.json");
    }
  }

  @Test
  void aBadRequestOfAClientReachesNoResourceManager() throws Exception {
    String output = cluster.hdfs().uri("refused");
    try (SubmittedJob job =
        cluster.submit(
            "refused", YarnRun.words(cluster, Mode.CLIENT, output, "--set", NO_FOLDER))) {
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(2);
      assertThat(job.err()).contains("anneal: data.source hdfs:///no/such/rows.json");
      assertThat(cluster.applications("refused")).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource
  void aFailureIsSaidAndNotRepeated(Mode mode) throws Exception {
    try (YarnRun run = start(mode, "failure-" + mode, "--set", "cluster.attempts=1")) {
      run.awaitCheckpoint(CHECKPOINT_STEPS);
      run.application().executors().get(0).destroyForcibly();
      run.assertExit(1);
      assertThat(run.said()).containsPattern("The process of rank [01] on \\S+ was lost");
      assertFailed(run, mode == Mode.CLUSTER ? "was lost" : "");
    }
  }

  @Test
  void goesOnWhenTheResourceManagerTakesAContainer() throws Exception {
    try (YarnRun run = start(Mode.CLIENT, "taken")) {
      run.awaitCheckpoint(CHECKPOINT_STEPS);
      run.application().killExecutor();
      assertGoesOn(run, "Beginning again after step");
      assertThat(run.application().attempts()).hasSize(1);
    }
  }

  @Test
  void goesOnWhenAnExecutorIsKilled() throws Exception {
    try (YarnRun run = start(Mode.CLUSTER, "killed")) {
      run.awaitCheckpoint(CHECKPOINT_STEPS);
      run.application().executors().get(0).destroyForcibly();
      assertGoesOn(run, "Beginning again after step");
      assertThat(run.application().attempts()).hasSize(1);
    }
  }

  @Test
  void aSecondApplicationMasterGoesOn() throws Exception {
    try (YarnRun run = start(Mode.CLUSTER, "master", "--conf", "spark.yarn.maxAppAttempts=2")) {
      run.awaitCheckpoint(CHECKPOINT_STEPS);
      run.application().master().destroyForcibly();
      assertGoesOn(run, "Going on after step");
      assertThat(run.application().attempts()).hasSize(2);
    }
  }

  /** Starts a run of so many steps. */
  private static YarnRun start(Mode mode, String name, String... more) throws Exception {
    List<String> options =
        new ArrayList<>(
            List.of(
                "--set",
                "training.max_steps=" + STEPS,
                "--set",
                "checkpoint.every_steps=" + CHECKPOINT_STEPS));
    options.addAll(List.of(more));
    return YarnRun.start(cluster, mode, name, options.toArray(String[]::new));
  }

  /** Asserts that it says how it goes on, and ends with what an undisturbed run ends with. */
  private static void assertGoesOn(YarnRun run, String sentence) throws Exception {
    succeeded(run).assertSameAs(undisturbed);
    assertThat(run.said()).contains(sentence);
  }

  private static RunOutput succeeded(YarnRun run) throws Exception {
    run.assertExit(0);
    assertThat(run.application().awaitEnd().getFinalApplicationStatus())
        .isEqualTo(FinalApplicationStatus.SUCCEEDED);
    Path copy = folder.resolve("copy-of-" + run.application().id());
    return RunOutput.copyOf(cluster.hdfs().storage(), run.output(), copy);
  }

  private static void assertFailed(YarnRun run, String diagnostics) throws Exception {
    ApplicationReport report = run.application().awaitEnd();
    assertThat(report.getFinalApplicationStatus()).isEqualTo(FinalApplicationStatus.FAILED);
    assertThat(report.getDiagnostics()).contains(diagnostics);
    assertThat(run.application().attempts()).hasSize(1);
  }
}
