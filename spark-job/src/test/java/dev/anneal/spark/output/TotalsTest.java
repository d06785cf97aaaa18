package dev.anneal.spark.output;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.trainer.EvaluatedEnd;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.function.UnaryOperator;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is counted over a run is the same after a rewind or a restart as without one. */
class TotalsTest {
  @TempDir Path dir;

  @Test
  void theRecordCountsAnewWhatIsLeft() throws Exception {
    RunRecord record = new RunRecord(folder(), UnaryOperator.identity());
    MetricsLog log = Measured.log(3);
    log.step(Measured.skipped(4));
    log.step(Measured.step(5));
    log.replay(record::step, record::evaluation);
    record.evaluation(5, Double.NaN);
    record.succeeded();
    JsonNode all = json().path("totals");
    assertThat(all.path("skipped_steps").asLong()).isEqualTo(1);
    assertThat(all.path("tokens").asLong()).isEqualTo(500);
    assertThat(all.path("last_loss").asDouble()).isEqualTo(0.4);
    assertThat(all.get("eval_loss_after").isNull()).isTrue();

    record = new RunRecord(folder(), UnaryOperator.identity());
    log.replay(record::step, record::evaluation);
    log.rewind(3);
    record.rewind(log);
    record.succeeded();
    JsonNode left = json().path("totals");
    assertThat(left.path("steps").asLong()).isEqualTo(3);
    assertThat(left.path("skipped_steps").asLong()).isZero();
    assertThat(left.path("tokens").asLong()).isEqualTo(300);
    assertThat(left.path("target_tokens").asLong()).isEqualTo(90);
    assertThat(left.path("eval_loss_before").asDouble()).isEqualTo(2.5);
    assertThat(left.has("eval_loss_after")).isFalse();
  }

  @Test
  void theRecordTellsOfEveryAttemptAlsoOfThoseOfAKilledDriver() throws Exception {
    RunRecord killed = new RunRecord(folder(), UnaryOperator.identity());
    killed.attempt("r-1", null);
    killed.checkpoint(20);
    killed.attemptEnded("Rank 1 on h was lost.");
    killed.attempt("r-2", 20L);

    byte[] earlier = Files.readAllBytes(dir.resolve("run.json"));
    RunRecord record = new RunRecord(folder(), UnaryOperator.identity());
    record.continueFrom(earlier);
    record.attempt("s-1", 20L);
    record.attemptEnded("It trained to the end.");

    JsonNode run = json();
    List<JsonNode> attempts = run.path("attempts").valueStream().toList();
    assertThat(attempts)
        .extracting(a -> a.path("id").asText())
        .containsExactly("r-1", "r-2", "s-1");
    assertThat(attempts)
        .extracting(a -> a.path("ended").asText())
        .containsExactly(
            "Rank 1 on h was lost.", "The driver ended without a word.", "It trained to the end.");
    assertThat(attempts.get(0).get("resumed_from_step").isNull()).isTrue();
    assertThat(attempts.get(2).path("resumed_from_step").asLong()).isEqualTo(20);
    assertThat(run.at("/checkpoints/last_complete_step").asLong()).isEqualTo(20);
    assertThat(new ObjectMapper().readTree(earlier).at("/checkpoints/last_complete_step").asLong())
        .isEqualTo(20);
  }

  @Test
  void theRecordTellsOfPhasesAndCheckpointsAlsoOfThoseOfAKilledDriver() throws Exception {
    RunRecord killed = new RunRecord(folder(), UnaryOperator.identity());
    killed.phase("training");
    killed.checkpoint(20);
    byte[] earlier = Files.readAllBytes(dir.resolve("run.json"));
    RunRecord record = new RunRecord(folder(), UnaryOperator.identity());
    record.continueFrom(earlier);
    record.phase("loading weights");
    for (int step = 21; step <= 1025; step++) {
      record.checkpoint(step);
    }

    JsonNode run = json();
    assertThat(run.path("phases").valueStream().map(phase -> phase.path("phase").asText()))
        .containsExactly("training", "loading weights");
    assertThat(run.at("/checkpoints/completed")).as("the last thousand").hasSize(1000);
    assertThat(run.at("/checkpoints/completed/999/step").asInt()).isEqualTo(1025);
    assertThat(run.at("/checkpoints/completed/0/at").asText()).isNotEmpty();
  }

  private static Answer answer(Map<Long, String> continuations) {
    return new Answer("a?", new TreeMap<>(continuations));
  }

  @Test
  void theRecordKeepsTheLastSamplesAndWhatServesTheAdapter() throws Exception {
    RunRecord record = new RunRecord(folder(), UnaryOperator.identity());
    record.training(80, VllmTest.layout(40));
    record.samples(List.of(answer(Map.of(0L, "b"))));
    record.samples(List.of(answer(Map.of(0L, "b", 9L, "c"))));
    record.succeeded();
    assertThat(json().path("samples").toString())
        .isEqualTo("[{\"prompt\":\"a?\",\"before\":\"b\",\"after\":\"c\"}]");
    record = new RunRecord(folder(), UnaryOperator.identity());
    record.training(80, VllmTest.layout(40));
    record.samples(List.of(answer(Map.of(0L, "b", 3L, "d", 6L, "e", 9L, "c"))));
    record.succeeded();
    assertThat(json().at("/samples/0/between").toString())
        .isEqualTo("[{\"step\":3,\"text\":\"d\"},{\"step\":6,\"text\":\"e\"}]");
    assertThat(json().at("/samples/0/after").asText()).isEqualTo("c");
    assertThat(json().path("planned_steps").asInt()).isEqualTo(80);
    assertThat(json().at("/vllm/max_lora_rank").asInt()).isEqualTo(64);

    record = new RunRecord(folder(), UnaryOperator.identity());
    record.training(80, VllmTest.layout(513));
    record.succeeded();
    assertThat(json().at("/vllm/refuses").asText()).contains("up to rank 512");
  }

  @Test
  void aDamagedRecordOfBeforeIsNoReasonToStop() throws Exception {
    RunRecord record = new RunRecord(folder(), UnaryOperator.identity());
    record.continueFrom("{\"attem".getBytes(UTF_8));
    record.attempt("s-1", null);
    assertThat(json().path("attempts")).hasSize(1);
  }

  @Test
  void theOutcomeCountsAnewAndKeepsTheContinuationsBeforeTraining() {
    Outcome outcome = new Outcome();
    MetricsLog log = Measured.log(3);
    log.step(Measured.skipped(4));
    log.evaluation(4, 1.5);
    log.replay(outcome::step, outcome::evaluation);
    outcome.sample(new RankEvent.Sample(0, 0, new int[] {1, 2}, new int[] {3}));
    outcome.sample(new RankEvent.Sample(4, 0, new int[] {1, 2}, new int[] {4}));
    assertThat(outcome.samples().get(0).after()).containsExactly(4);

    log.rewind(2);
    outcome.rewind(log);
    assertThat(outcome.steps()).isEqualTo(2);
    assertThat(outcome.tokens()).isEqualTo(200);
    assertThat(outcome.evalLossBefore()).hasValue(2.5);
    assertThat(outcome.evalLossAfter()).isEmpty();
    assertThat(outcome.samples().get(0).before()).containsExactly(3);
    assertThat(outcome.samples().get(0).after()).isNull();
  }

  @Test
  void anAttemptThatBeginsAnewTellsItsSamplesAgain() {
    Outcome outcome = new Outcome();
    outcome.sample(new RankEvent.Sample(0, 0, new int[] {1}, new int[] {3}));
    outcome.sample(new RankEvent.Sample(0, 0, new int[] {1}, new int[] {3}));
    assertThat(outcome.samples()).hasSize(1);
    assertThat(outcome.samples().get(0).after()).isNull();
  }

  @Test
  void samplesSurviveARestart() {
    Outcome outcome = new Outcome();
    outcome.sample(new RankEvent.Sample(0, 1, new int[] {5}, new int[0]));
    outcome.sample(new RankEvent.Sample(0, 0, new int[] {1, 2}, new int[] {3}));
    byte[] json = outcome.samplesJson(9);
    assertThat(new String(json, UTF_8))
        .isEqualTo(
            "[{\"sample\":0,\"prompt\":[1,2],\"before\":[3]},"
                + "{\"sample\":1,\"prompt\":[5],\"before\":[]}]");
    Outcome restored = new Outcome();
    restored.restoreSamples(json);
    restored.sample(new RankEvent.Sample(9, 0, new int[] {1, 2}, new int[] {7}));
    assertThat(restored.samplesJson(8)).isEqualTo(json);
    assertThat(restored.samples().get(0).after()).containsExactly(7);
  }

  @Test
  void samplesOfEvaluationsOnTheWayCarryTheirStep() {
    Outcome outcome = new Outcome();
    for (int step : new int[] {0, 5, 10, 15}) {
      outcome.sample(new RankEvent.Sample(step, 0, new int[] {1, 2}, new int[] {step}));
    }
    byte[] json = outcome.samplesJson(10);
    assertThat(new String(json, UTF_8))
        .isEqualTo(
            "[{\"sample\":0,\"prompt\":[1,2],\"before\":[0],\"later\":["
                + "{\"step\":5,\"generated\":[5]},{\"step\":10,\"generated\":[10]}]}]");
    Outcome restored = new Outcome();
    restored.restoreSamples(json);
    assertThat(restored.samplesJson(10)).isEqualTo(json);
    assertThat(restored.samples().get(0).continuations().keySet()).containsExactly(0L, 5L, 10L);
    assertThat(restored.samples().get(0).after()).containsExactly(10);
  }

  @Test
  void aRewindForgetsLaterSamples() {
    Outcome outcome = new Outcome();
    MetricsLog log = Measured.log(3);
    for (int step = 0; step <= 3; step++) {
      outcome.sample(new RankEvent.Sample(step, 0, new int[] {1}, new int[] {step}));
    }
    log.rewind(2);
    outcome.rewind(log);
    assertThat(outcome.samples().get(0).continuations().keySet()).containsExactly(0L, 1L, 2L);
  }

  @Test
  void theRecordTellsWhichStepIsTheResultAndForgetsItWithARewind() throws Exception {
    RunRecord record = new RunRecord(folder(), UnaryOperator.identity());
    record.ended(new EvaluatedEnd(40, true, 3, 10, 1.25, 10));
    assertThat(json().path("evaluation").toString())
        .isEqualTo(
            "{\"result_step\":10,\"best_step\":10,\"best_eval_loss\":1.25,\"ended_early\":true,"
                + "\"reason\":\"Training ended after step 40, because 3 evaluations in a row gained nothing.\"}");
    record.rewind(new MetricsLog());
    record.attempt("s-2", null);
    assertThat(json().has("evaluation")).isFalse();
  }

  @Test
  void aRunThatMadeAllItsStepsForItsLastHasNothingToExplain() {
    assertThat(EndSentence.of(new EvaluatedEnd(40, false, 1, 30, 1.25, 40))).isEmpty();
    assertThat(EndSentence.of(new EvaluatedEnd(40, false, 1, 30, 1.25, 30)))
        .hasValue("The result is that of step 30, with the smallest held-out loss, 1.2500.");
  }

  @Test
  void refusesDamagedSamples() {
    for (String json :
        List.of(
            "",
            "{}",
            "[1]",
            "[{\"sample\":0,\"prompt\":[1]}]",
            "[",
            "[] []",
            "[{\"sample\":0,\"prompt\":[1.5],\"before\":[]}]",
            "[{\"sample\":0,\"prompt\":[1],\"before\":[],\"later\":{}}]",
            "[{\"sample\":0,\"prompt\":[1],\"before\":[],\"after\":[]}]",
            "[{\"sample\":0,\"prompt\":[1],\"before\":[],\"later\":[{\"step\":5}]}]",
            "[{\"sample\":0,\"prompt\":[1],\"before\":[],\"later\":[{\"step\":0,\"generated\":[]}]}]",
            "[{\"sample\":0,\"prompt\":[1],\"before\":[],\"later\":[{\"step\":1.5,\"generated\":[]}]}]",
            "[{\"sample\":0,\"prompt\":[],\"before\":[]},{\"sample\":0,\"prompt\":[],\"before\":[]}]")) {
      assertThatThrownBy(() -> new Outcome().restoreSamples(json.getBytes(UTF_8)))
          .isInstanceOf(InvalidCheckpointException.class)
          .hasMessage("samples.json is damaged");
    }
  }

  @Test
  void aStoreThatIsAwayHoldsUpNobodyWhoTellsOfAStep() throws Exception {
    CountDownLatch away = new CountDownLatch(1);
    CountDownLatch back = new CountDownLatch(1);
    RunFolder hanging =
        folder()
            .guardedBy(
                () -> {
                  away.countDown();
                  await(back);
                });
    RunRecord record = new RunRecord(hanging, UnaryOperator.identity());
    Thread committer = new Thread(() -> record.checkpoint(1));
    committer.start();
    await(away);
    assertTimeoutPreemptively(
        Duration.ofSeconds(20), () -> Measured.log(3).replay(record::step, record::evaluation));
    back.countDown();
    committer.join();
    assertThat(json().at("/checkpoints/last_complete_step").asInt()).isEqualTo(1);
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private RunFolder folder() {
    return new RunFolder(dir.toUri().toString(), new Configuration());
  }

  private JsonNode json() throws Exception {
    return new ObjectMapper().readTree(dir.resolve("run.json").toFile());
  }
}
