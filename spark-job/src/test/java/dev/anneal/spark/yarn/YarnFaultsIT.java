package dev.anneal.spark.yarn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.faults.RunOutput;
import dev.anneal.spark.yarn.YarnRun.Mode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of a run on YARN that loses a container: it ends like one that lost none. */
@Tag("faults")
class YarnFaultsIT {
  /** So many that a run is not over before something happens to it. */
  private static final int STEPS = 240;

  private static final int CHECKPOINT_STEPS = 10;

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
  void goesOnWhenTheResourceManagerTakesAContainer() throws Exception {
    try (YarnRun run = start(Mode.CLIENT, "taken")) {
      run.awaitCheckpoint();
      run.application().killExecutor();
      assertGoesOn(run, "Beginning again after step");
      assertThat(run.application().attempts()).hasSize(1);
    }
  }

  @Test
  void goesOnWhenAnExecutorIsKilled() throws Exception {
    try (YarnRun run = start(Mode.CLUSTER, "killed")) {
      run.awaitCheckpoint();
      run.application().executors().get(0).destroyForcibly();
      assertGoesOn(run, "Beginning again after step");
      assertThat(run.application().attempts()).hasSize(1);
    }
  }

  @Test
  void aSecondApplicationMasterGoesOn() throws Exception {
    try (YarnRun run = start(Mode.CLUSTER, "master", "--conf", "spark.yarn.maxAppAttempts=2")) {
      run.awaitCheckpoint();
      run.application().master().destroyForcibly();
      assertGoesOn(run, "Going on after step");
      assertThat(run.application().attempts()).hasSize(2);
    }
  }

  /** Starts a run of so many steps. */
  private static YarnRun start(Mode mode, String name, String... more) throws Exception {
    List<String> options = new ArrayList<>();
    options.addAll(List.of("--set", "training.max_steps=" + STEPS));
    options.addAll(List.of("--set", "checkpoint.every_steps=" + CHECKPOINT_STEPS));
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
}
