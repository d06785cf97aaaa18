package dev.anneal.spark.tracking.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.output.Measured;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.tracking.Measurements;
import dev.anneal.spark.tracking.RunEnd;
import dev.anneal.spark.tracking.Told;
import dev.anneal.spark.tracking.TrackedRun;
import dev.anneal.spark.tracking.Tracker;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MlflowTrackerTest {
  private static final RunEnd SUCCEEDED = new RunEnd(RunEnd.State.SUCCEEDED, null);

  @TempDir Path output;
  private final List<String> said = new ArrayList<>();
  private long millis = 1_000_000;
  private MlflowDouble server;
  private MetricsLog log = new MetricsLog();

  @BeforeEach
  void start() throws IOException {
    server = new MlflowDouble();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void sendsWhatWasMeasuredOnceAndInItsOrder() throws Exception {
    MlflowTracker tracker = tracker();
    log.evaluation(0, 2.5);
    steps(1, 3);
    tracker.update();
    steps(4, 450);
    log.evaluation(450, 1.5);
    tracker.update();
    tracker.update();
    assertThat(server.run().steps("loss")).isEqualTo(range(1, 450));
    assertThat(server.run().steps("eval_loss")).containsExactly(0L, 450L);
    JsonNode point =
        server.run().points.stream()
            .filter(p -> p.path("key").asText().equals("loss") && p.path("step").asLong() == 4)
            .findFirst()
            .orElseThrow();
    assertThat(point.path("value").asDouble()).isEqualTo(0.5);
    assertThat(server.run().points).hasSize(450 * 8 + 2);
    assertThat(said).singleElement().asString().startsWith("MLflow: " + server.uri() + "/#/exp");
  }

  @Test
  void rowsToEvaluateOnMayBeOfAnotherSource() {
    assertThat(RunFacts.parameters(Told.run(output))).containsEntry("dataset.eval_rows", "40");
    assertThat(RunFacts.parameters(Told.evaluatedOn(7, output)))
        .containsEntry("dataset.train_rows", "280")
        .containsEntry("dataset.eval_rows", "7");
  }

  @Test
  void aStepThatIsMeasuredAgainAfterARestartIsNoSecondPoint() throws Exception {
    MlflowTracker tracker = tracker();
    steps(1, 9);
    tracker.update();
    log.rewind(5);
    tracker.rewound(5);
    steps(6, 7);
    tracker.update();
    steps(8, 12);
    tracker.update();
    assertThat(server.run().steps("loss")).isEqualTo(range(1, 12));
  }

  @Test
  void anotherProcessGoesOnInTheSameRunWhereTheServerHasItsLastPoint() throws Exception {
    MlflowTracker first = tracker();
    log.evaluation(0, 2.5);
    steps(1, 9);
    first.update();
    // killed; the last checkpoint holds five steps
    log = MetricsLog.restore(log.upTo(5));
    MlflowTracker second = tracker("cluster.nodes=1");
    second.update();
    assertThat(server.run().status()).isEqualTo("RUNNING");
    steps(6, 14);
    second.update();
    assertThat(server.run().steps("loss")).isEqualTo(range(1, 14));
    assertThat(server.run().steps("eval_loss")).containsExactly(0L);
    assertThat(server.run().parameters())
        .as("of the first process, since MLflow takes no other")
        .containsEntry("cluster.nodes", "2");
  }

  @Test
  void aRunThatBeginsAnewIsAnotherRunOfMlflows() throws Exception {
    MlflowTracker first = tracker();
    steps(1, 9);
    first.update();
    // failed before its first checkpoint, and repeated with another configuration
    log = new MetricsLog();
    MlflowTracker second = tracker("cluster.nodes=1");
    second.update();
    steps(1, 3);
    second.update();
    assertThat(server.runs()).hasSize(2);
    MlflowDouble.KeptRun anew = server.runs().get(1);
    assertThat(anew.steps("loss")).isEqualTo(range(1, 3));
    assertThat(anew.parameters()).containsEntry("cluster.nodes", "1");
    assertThat(server.runs().get(0).steps("loss")).isEqualTo(range(1, 9));
    assertThat(Files.readString(output.resolve("mlflow.json"))).contains(anew.id());
  }

  @Test
  void aRunThatIsMadeButNotFilledAtOnceIsNotMadeAgain() throws Exception {
    MlflowTracker tracker = tracker();
    server.loseAnAnswerTo("params");
    assertThatThrownBy(tracker::update).isInstanceOf(IOException.class);
    tracker.update();
    assertThat(server.runs()).hasSize(1);
    assertThat(server.run().parameters()).containsEntry("cluster.nodes", "2");
  }

  @Test
  void whatWasMeasuredWhileTheServerWasAwayComesLater() throws Exception {
    MlflowTracker tracker = tracker();
    steps(1, 3);
    server.fail(503);
    assertThatThrownBy(tracker::update)
        .isInstanceOf(IOException.class)
        .isNotInstanceOf(Tracker.Refusal.class)
        .hasMessage(server.uri() + " answers 503: broken for a test");
    steps(4, 300);
    server.fail(0);
    tracker.update();
    server.fail(500);
    steps(301, 310);
    assertThatThrownBy(tracker::update).isInstanceOf(IOException.class);
    server.fail(0);
    // the process dies now: the next one brings what the server has not
    log = MetricsLog.restore(log.upTo(308));
    tracker().update();
    assertThat(server.run().steps("loss")).isEqualTo(range(1, 308));
  }

  @Test
  void pointsWhoseAnswerWasLostAreNotSentAgain() throws Exception {
    MlflowTracker tracker = tracker();
    tracker.update();
    steps(1, 3);
    server.loseAnAnswer();
    assertThatThrownBy(tracker::update).isInstanceOf(IOException.class);
    assertThat(server.run().steps("loss")).isEqualTo(range(1, 3));
    steps(4, 5);
    tracker.update();
    assertThat(server.run().steps("loss")).isEqualTo(range(1, 5));
  }

  @Test
  void whatIsNoNumberIsLeftOutAndTheNextStepIsThere() throws Exception {
    MlflowTracker tracker = tracker();
    log.step(Measured.skipped(1));
    log.step(Measured.step(2));
    tracker.update();
    assertThat(server.run().steps("loss")).containsExactly(2L);
    assertThat(server.run().steps("learning_rate")).containsExactly(1L, 2L);
  }

  @Test
  void tellsTheConfigurationAndMasksWhatIsSecret() throws Exception {
    tracker("data.columns={output: hunter2}", "model.path=s3a://models/tiny").update();
    assertThat(server.run().parameters())
        .containsEntry("lora.r", "16")
        .containsEntry("model.path", "s3a://models/tiny")
        .containsEntry("data.columns", "{\"output\":\"*********\"}")
        .containsEntry("dataset.train_rows", "280")
        .containsEntry("model.fingerprint", "a-model")
        .doesNotContainKey("data.limit");
    assertThat(server.run().tags())
        .containsEntry("mlflow.source.name", "anneal run")
        .containsEntry("mlflow.runName", "my run")
        .containsEntry("anneal.output", output.toString())
        .containsEntry("spark.application_id", "app-1")
        .doesNotContainKey("mlflow.parentRunId");
    assertThat(server.run().experiment()).isEqualTo("0");
    assertThat(server.authorizations()).containsOnly("Bearer abc");
  }

  @Test
  void makesTheExperimentOnce() throws Exception {
    new MlflowTracker(settings("mine", null), run(), measurements(), said::add).update();
    Files.delete(output.resolve("mlflow.json"));
    new MlflowTracker(settings("mine", null), run(), measurements(), said::add).update();
    assertThat(server.experiments()).containsEntry("mine", "1");
    assertThat(server.runs())
        .extracting(MlflowDouble.KeptRun::experiment)
        .containsExactly("1", "1");
    assertThat(Collections.frequency(server.asked(), "POST /api/2.0/mlflow/experiments/create"))
        .isEqualTo(1);
  }

  @Test
  void isNestedInTheOuterRunAndInItsExperiment() throws Exception {
    server.addRun("outer", "42");
    new MlflowTracker(settings(null, "outer"), run(), measurements(), said::add).update();
    MlflowDouble.KeptRun nested = server.runs().get(1);
    assertThat(nested.tags()).containsEntry("mlflow.parentRunId", "outer");
    assertThat(nested.experiment()).isEqualTo("42");
  }

  @Test
  void beginsAnotherRunWhereTheServerHasForgottenTheFirst() throws Exception {
    MlflowTracker first = tracker();
    steps(1, 2);
    first.update();
    server.forget(server.run().id());
    tracker().update();
    assertThat(server.run().steps("loss")).isEqualTo(range(1, 2));
  }

  @Test
  void publishesTheAdapterAndItsVersion() throws Exception {
    Files.createDirectories(output.resolve("adapter"));
    Files.writeString(output.resolve("adapter/adapter_config.json"), "{}");
    Files.writeString(output.resolve("adapter/adapter_model.safetensors"), "weights");
    MlflowTracker tracker =
        new MlflowTracker(
            new MlflowSettings(
                MlflowAddress.ofServer(URI.create(server.uri()), null),
                null,
                null,
                null,
                "my run",
                "llama-tuned",
                true),
            run(),
            measurements(),
            said::add);
    tracker.update();
    tracker.end(SUCCEEDED);
    assertThat(server.run().status()).isEqualTo("FINISHED");
    assertThat(server.run().endTime).isPositive();
    assertThat(server.authorizations()).containsOnly("null");
    assertThat(server.artifacts())
        .containsOnlyKeys(
            "0/run1/artifacts/adapter/adapter_config.json",
            "0/run1/artifacts/adapter/adapter_model.safetensors");
    assertThat(
            new String(
                server.artifacts().get("0/run1/artifacts/adapter/adapter_model.safetensors"),
                UTF_8))
        .isEqualTo("weights");
    JsonNode version = server.versions().get(0);
    assertThat(version.path("name").asText()).isEqualTo("llama-tuned");
    assertThat(version.path("source").asText())
        .isEqualTo("mlflow-artifacts:/0/run1/artifacts/adapter");
    assertThat(version.path("run_id").asText()).isEqualTo("run1");
    assertThat(said).last().isEqualTo("MLflow: llama-tuned version 7");
  }

  @Test
  void saysHowARunHasFailed() throws Exception {
    MlflowTracker tracker = tracker();
    tracker.update();
    tracker.end(new RunEnd(RunEnd.State.FAILED, "Rank 1 on host b: no memory."));
    assertThat(server.run().status()).isEqualTo("FAILED");
    assertThat(server.run().tags()).containsEntry("anneal.error", "Rank 1 on host b: no memory.");
    tracker.end(new RunEnd(RunEnd.State.INTERRUPTED, null));
    assertThat(server.run().status()).isEqualTo("KILLED");
  }

  @Test
  void aServerThatRefusesIsNotAskedAgain() {
    server.fail(401);
    assertThatThrownBy(() -> tracker().update())
        .isInstanceOf(Tracker.Refusal.class)
        .hasMessage(server.uri() + " answers 401: broken for a test");
  }

  private MlflowTracker tracker(String... sets) {
    return new MlflowTracker(
        settings(null, null), Told.run(output, sets), measurements(), said::add);
  }

  private TrackedRun run() {
    return Told.run(output);
  }

  private Measurements measurements() {
    return new Measurements(log, () -> millis++);
  }

  private MlflowSettings settings(String experiment, String parent) {
    return new MlflowSettings(
        MlflowAddress.ofServer(URI.create(server.uri()), "Bearer abc"),
        experiment,
        null,
        parent,
        "my run",
        null,
        true);
  }

  private void steps(long first, long last) {
    LongStream.rangeClosed(first, last).mapToObj(Measured::step).forEach(log::step);
  }

  private static List<Long> range(long first, long last) {
    return LongStream.rangeClosed(first, last).boxed().toList();
  }
}
