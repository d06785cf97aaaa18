package dev.anneal.spark.output;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MetricsLogTest {
  private static final String FIRST =
      "{\"step\":1,\"loss\":2.0,\"grad_norm\":0.5,\"learning_rate\":1.0E-4,\"target_tokens\":30,"
          + "\"tokens\":100,\"tokens_per_second\":1234.5,\"peak_memory_bytes\":1048576,\"epoch\":0.1}";

  @Test
  void timesOfAStepComeBackAsTheyWereWritten() {
    MetricsLog log = new MetricsLog();
    StepTimes times = new StepTimes(100.1234, 1.5, 20, 90.25, 30, 0);
    log.step(Measured.timed(1, times));
    String text = new String(log.upTo(1), UTF_8);
    assertThat(text)
        .endsWith(
            "\"epoch\":0.1,\"step_ms\":100.123,\"data_wait_ms\":1.5,\"host_enqueue_ms\":20.0,"
                + "\"device_ms\":90.25,\"exchange_ms\":30.0,\"offload_ms\":0.0}\n");
    MetricsLog restored = MetricsLog.restore(text.getBytes(UTF_8));
    assertThat(restored.upTo(1)).isEqualTo(log.upTo(1));
    assertThat(WhereTimeGoes.of(restored))
        .map(WhereTimeGoes::sentence)
        .hasValue(
            "A step takes 100.1 ms: device 90.3, exchange 30.0, offload 0.0, host enqueue 20.0, data wait 1.5 (medians of the last 1, parts overlap).");
    assertThat(WhereTimeGoes.of(Measured.log(3))).isEmpty();
  }

  @Test
  void writesStepsAndEvaluationsAsLines() {
    MetricsLog log = Measured.log(1);
    log.evaluation(1, 1.5);
    assertThat(text(log.upTo(1)).lines())
        .containsExactly("{\"step\":0,\"eval_loss\":2.5}", FIRST, "{\"step\":1,\"eval_loss\":1.5}");
  }

  @Test
  void writesNullForWhatASkippedStepMeasured() {
    MetricsLog log = new MetricsLog();
    log.step(Measured.skipped(1));
    assertThat(text(log.upTo(1)))
        .startsWith("{\"step\":1,\"loss\":null,\"grad_norm\":null,")
        .endsWith(",\"skipped\":true}\n");
  }

  @Test
  void readsBackWhatItHasWritten() {
    MetricsLog log = Measured.log(2);
    log.step(Measured.skipped(3));
    log.step(Measured.step(4));
    log.evaluation(4, Double.NaN);
    MetricsLog restored = MetricsLog.restore(log.upTo(4));
    assertThat(restored.upTo(4)).isEqualTo(log.upTo(4));

    List<StepMetrics> steps = new ArrayList<>();
    List<String> evaluations = new ArrayList<>();
    restored.replay(steps::add, (step, loss) -> evaluations.add(step + " " + loss));
    assertThat(steps).hasSize(4);
    assertThat(steps.get(1)).isEqualTo(Measured.step(2));
    assertThat(steps.get(2).skipped()).isTrue();
    assertThat(steps.get(2).gradNorm()).isNaN();
    assertThat(evaluations).containsExactly("0 2.5", "4 NaN");
  }

  @Test
  void givesACheckpointNothingOfLaterSteps() {
    MetricsLog log = Measured.log(5);
    log.evaluation(5, 1.5);
    assertThat(log.upTo(4)).isEqualTo(Measured.log(4).upTo(4));
    assertThat(text(log.upTo(0))).isEqualTo("{\"step\":0,\"eval_loss\":2.5}\n");
  }

  @Test
  void givesNoCheckpointAGap() {
    MetricsLog log = Measured.log(3);
    log.step(Measured.step(5));
    assertThatThrownBy(() -> log.upTo(5))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("of the 5 steps up to the checkpoint 4 have been told");
  }

  @Test
  void goesOnFromAnEarlierStepAsIfNothingHadBeen() {
    MetricsLog log = Measured.log(7);
    log.evaluation(7, 1.5);
    log.rewind(4);
    assertThat(log.lastStep()).isEqualTo(4);
    log.step(Measured.step(5));
    assertThat(log.upTo(5)).isEqualTo(Measured.log(5).upTo(5));
    log.rewind(0);
    assertThat(text(log.upTo(0))).isEqualTo("{\"step\":0,\"eval_loss\":2.5}\n");
  }

  @Test
  void keepsTheLaterOfTwoTellingsAndTheOrderOfSteps() {
    MetricsLog log = new MetricsLog();
    log.step(Measured.skipped(2));
    log.step(Measured.step(1));
    log.evaluation(2, 1.5);
    log.evaluation(0, 2.5);
    log.step(Measured.step(2));
    MetricsLog orderly = Measured.log(2);
    orderly.evaluation(2, 1.5);
    assertThat(log.upTo(2)).isEqualTo(orderly.upTo(2));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"step\":1",
        "null",
        "[]",
        "{}",
        "{\"step\":0,\"eval_loss\":2.5}",
        "{\"step\":0,\"eval_loss\":2.5} {}\n",
        "{\"step\":0,\"eval_loss\":\"2.5\"}\n",
        "{\"step\":0,\"eval_loss\":1e999}\n",
        "{\"step\":0.0,\"eval_loss\":2.5}\n",
        "{\"step\":-1,\"eval_loss\":2.5}\n",
        "{\"step\":0,\"step\":0,\"eval_loss\":2.5}\n",
        "{\"step\":0,\"eval_loss\":2.5,\"more\":1}\n",
        "{\"step\":0,\"eval_loss\":2.5,\"skipped\":true}\n",
        "\n",
        "skipped\n"
      })
  void refusesDamage(String lines) {
    assertThatThrownBy(() -> MetricsLog.restore(lines.getBytes(UTF_8)))
        .isInstanceOf(InvalidCheckpointException.class)
        .hasMessageStartingWith("metrics.jsonl has a damaged line: ");
  }

  @Test
  void refusesAnyCutButOneBetweenLines() {
    byte[] whole = Measured.log(2).upTo(2);
    for (int length = 0; length < whole.length; length++) {
      byte[] cut = Arrays.copyOf(whole, length);
      if (length == 0 || cut[length - 1] == '\n') {
        assertThat(MetricsLog.restore(cut).lastStep()).isLessThan(2);
      } else {
        assertThatThrownBy(() -> MetricsLog.restore(cut))
            .isInstanceOf(InvalidCheckpointException.class);
      }
    }
  }

  @Test
  void refusesLinesThatAreDoubledOrMissingOrOutOfOrder() {
    String second = FIRST.replace("\"step\":1", "\"step\":2");
    for (String lines :
        List.of(
            second + "\n",
            FIRST + "\n" + FIRST + "\n",
            FIRST + "\n{\"step\":0,\"eval_loss\":2.5}\n",
            FIRST + "\n{\"step\":2,\"eval_loss\":2.5}\n")) {
      assertThatThrownBy(() -> MetricsLog.restore(lines.getBytes(UTF_8)))
          .isInstanceOf(InvalidCheckpointException.class)
          .hasMessageStartingWith("metrics.jsonl is not complete and in order at step ");
    }
  }

  private static String text(byte[] bytes) {
    return new String(bytes, UTF_8);
  }
}
