package dev.anneal.spark.yarn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.yarn.YarnRun.Mode;
import java.nio.file.Path;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A run on YARN with an unchanged Spark, its driver here or in the application master. */
class YarnIT {
  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  static Path folder;

  private static YarnCluster cluster;

  @BeforeAll
  static void start() throws Exception {
    cluster = YarnCluster.start(folder);
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @ParameterizedTest
  @EnumSource(names = {"CLIENT", "CLUSTER"})
  void succeedsInOneAttempt(Mode mode) throws Exception {
    try (YarnRun run = YarnRun.start(cluster, mode, mode.name())) {
      run.assertExit(0);
      assertThat(run.application().awaitEnd().getFinalApplicationStatus())
          .isEqualTo(FinalApplicationStatus.SUCCEEDED);
      assertThat(run.application().attempts()).hasSize(1);
      assertThat(run.said())
          .contains("step %s/%s".formatted(YarnRun.STEPS, YarnRun.STEPS))
          .contains(run.output() + "/adapter");
    }
  }
}
