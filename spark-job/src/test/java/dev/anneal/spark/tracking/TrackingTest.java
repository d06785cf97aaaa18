package dev.anneal.spark.tracking;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.output.Measured;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.tracking.mlflow.MlflowDouble;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrackingTest {
  private static final RunEnd SUCCEEDED = new RunEnd(RunEnd.State.SUCCEEDED, null);

  @TempDir Path output;
  private final List<String> said = new CopyOnWriteArrayList<>();

  @Test
  void anEnvironmentThatWasMadeForOthersFailsNoRun() {
    Tracking tracking = tracking(Map.of("MLFLOW_TRACKING_URI", "databricks"));
    tracking.begin(new MetricsLog());
    tracking.end(SUCCEEDED, Duration.ofSeconds(30));
    assertThat(said)
        .singleElement()
        .asString()
        .startsWith("MLflow is left out: ")
        .contains("DATABRICKS_HOST");
  }

  @Test
  void knowsTheLastStepOfTheProcessBefore() {
    MetricsLog log = new MetricsLog();
    log.evaluation(0, 2.5);
    log.step(Measured.step(1));
    Tracking tracking = tracking(Map.of());
    assertThat(tracking.lastStep()).isEmpty();
    assertThat(tracking.evalLoss()).isNaN();
    tracking.accept(new RankEvent.Step(Measured.step(1)));
    tracking.begin(log);
    assertThat(tracking.lastStep()).contains(Measured.step(1));
    assertThat(tracking.evalLoss()).isEqualTo(2.5);
    tracking.end(SUCCEEDED, Duration.ofSeconds(30));
    assertThat(said).isEmpty();
  }

  @Test
  void whoHasLostTheFolderTellsNothingMore() throws Exception {
    try (MlflowDouble server = new MlflowDouble()) {
      Tracking tracking = tracking(Map.of("MLFLOW_TRACKING_URI", server.uri()));
      tracking.begin(new MetricsLog());
      while (said.isEmpty()) {
        Thread.sleep(5);
      }
      tracking.abandon();
      tracking.end(SUCCEEDED, Duration.ofSeconds(30));
      assertThat(server.run().status()).as("the other process's word").isEqualTo("RUNNING");
    }
  }

  @Test
  void aProcessThatIsToldToEndWaitsForNoUploadOfAFinishedRun() throws Exception {
    try (MlflowDouble server = new MlflowDouble()) {
      server.beSilent();
      Tracking tracking = tracking(Map.of("MLFLOW_TRACKING_URI", server.uri()));
      tracking.begin(new MetricsLog());
      Thread finished = new Thread(() -> tracking.end(SUCCEEDED, Duration.ofSeconds(20)));
      finished.start();
      while (finished.getState() != Thread.State.TIMED_WAITING) {
        Thread.sleep(5);
      }
      Thread told =
          new Thread(() -> tracking.ending(new RunEnd(RunEnd.State.INTERRUPTED, "told to end")));
      told.start();
      told.join(Duration.ofSeconds(10).toMillis());
      assertThat(told.isAlive()).isFalse();
      assertThat(finished.isAlive()).as("it is still waited for").isTrue();
      finished.interrupt();
      finished.join();
    }
  }

  private Tracking tracking(Map<String, String> environment) {
    return new Tracking(Told.run(output), said::add, environment::get);
  }
}
