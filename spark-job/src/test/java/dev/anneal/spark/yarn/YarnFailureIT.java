package dev.anneal.spark.yarn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.yarn.YarnRun.Mode;
import java.nio.file.Path;
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

/** What YARN says of a run that cannot go on, and that it is not repeated. */
@Tag("faults")
class YarnFailureIT {
  private static final String NO_ROWS = "data.source=hdfs:///no/such/rows.json";
  private static final String NO_ROWS_SAID =
      "data.source 'hdfs:///no/such/rows.json' matches no file: check the path or the glob.";

  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  static Path folder;

  private static YarnCluster cluster;

  @BeforeAll
  static void startCluster() throws Exception {
    cluster = YarnCluster.start(folder);
  }

  @AfterAll
  static void stopCluster() {
    cluster.close();
  }

  @Test
  void aBadRequestToAnApplicationMasterIsNotRepeated() throws Exception {
    try (YarnRun run = YarnRun.start(cluster, Mode.CLUSTER_FILES, "bad", "--set", NO_ROWS)) {
      run.assertExit(1);
      assertFailed(run, NO_ROWS_SAID);
    }
  }

  @Test
  void aConfigurationThatIsWrongIsRefusedByTheApplicationMaster() throws Exception {
    try (YarnRun run = YarnRun.start(cluster, Mode.CLUSTER, "key", "--set", "lora.rank=8")) {
      run.assertExit(1);
      assertFailed(run, "did you mean lora.r?");
    }
  }

  @Test
  void aBadRequestOfAClientReachesNoResourceManager() throws Exception {
    String output = cluster.hdfs().uri("refused");
    try (SubmittedJob job =
        cluster.submit("refused", YarnRun.words(cluster, Mode.CLIENT, output, "--set", NO_ROWS))) {
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(2);
      assertThat(job.err()).contains("anneal: " + NO_ROWS_SAID);
      assertThat(cluster.applications("refused")).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"CLIENT", "CLUSTER"})
  void aFailureIsSaidAndNotRepeated(Mode mode) throws Exception {
    // weights that are no numbers after a step or two
    try (YarnRun run =
        YarnRun.start(
            cluster, mode, "failure-" + mode, "--set", "optimizer.learning_rate=1.0e+30")) {
      run.assertExit(1);
      String sentence = "the loss is NaN";
      assertThat(run.said()).contains(sentence);
      assertFailed(run, mode == Mode.CLUSTER ? sentence : "");
    }
  }

  private static void assertFailed(YarnRun run, String diagnostics) throws Exception {
    ApplicationReport report = run.application().awaitEnd();
    assertThat(report.getFinalApplicationStatus()).isEqualTo(FinalApplicationStatus.FAILED);
    assertThat(report.getDiagnostics()).contains(diagnostics);
    assertThat(run.application().attempts()).hasSize(1);
  }
}
