package dev.anneal.training.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.checkpoint.TrainerState.Parameter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EvaluationStateTest {
  private static EvaluationState after(double minDelta, double... losses) {
    EvaluationState state = EvaluationState.NONE;
    for (int i = 0; i < losses.length; i++) {
      state = state.after(10L * (i + 1), losses[i], minDelta);
    }
    return state;
  }

  @Test
  void firstIsTheBestAndAGain() {
    assertThat(after(0.5, 3)).isEqualTo(new EvaluationState(10, 10, 3, 3, 0));
  }

  @Test
  void theFirstOfEqualLossesIsTheBest() {
    assertThat(after(0, 3, 2, 2, 2)).isEqualTo(new EvaluationState(40, 20, 2, 2, 2));
  }

  @Test
  void whatFallsLessThanMinDeltaIsTheBestAndNoGain() {
    assertThat(after(0.5, 3, 2.75)).isEqualTo(new EvaluationState(20, 20, 2.75, 3, 1));
  }

  @Test
  void smallFallsAddUpToAGain() {
    assertThat(after(0.5, 3, 2.75, 2.5)).isEqualTo(new EvaluationState(30, 30, 2.5, 2.5, 0));
  }

  @Test
  void aRiseKeepsTheBest() {
    assertThat(after(0, 3, 2, 5, 4)).isEqualTo(new EvaluationState(40, 20, 2, 2, 2));
  }

  @Test
  void isReadBackToTheLastDigit() {
    TrainerState state = state(40).with(after(0.1, 1.1 / 3, 0.1 + 0.2, Math.nextUp(0.3), 2));
    assertThat(parse(state.toJson())).isEqualTo(state);
  }

  @Test
  void aRunWithoutItWritesNothingOfIt() {
    assertThat(state(40).toJson()).doesNotContain("evaluation");
    assertThat(parse(state(40).toJson()).evaluation()).isEqualTo(EvaluationState.NONE);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"step\": 40, \"best | \"step\": 41, \"best | after step 41 cannot be of 40 steps",
        "\"best_step\": 20 | \"best_step\": 50 | no run is at step 40",
        "\"best_step\": 20 | \"best_step\": 0 | no run is at step 40",
        "\"best_loss\": 2.0 | \"best_loss\": 2.5 | no run is at step 40",
        "\"without_gain\": 2 | \"without_gain\": -1 | no run is at step 40",
        "\"without_gain\": 2 | \"without_gain\": 2, \"x\": 1 | evaluation.x is not known",
        "\"gain_loss\": 2.0 | \"gain_loss\": \"2\" | evaluation.gain_loss must be"
      })
  void refusesWhatIsNotOne(String from, String to, String problem) {
    String json = state(40).with(after(0, 3, 2, 5, 4)).toJson().replaceAll(",\\s+", ", ");
    assertThat(json).contains(from);
    assertThatThrownBy(() -> parse(json.replace(from, to)))
        .isInstanceOf(InvalidCheckpointException.class)
        .hasMessageContaining(problem);
  }

  private static TrainerState state(long step) {
    return new TrainerState(
        step,
        step,
        0,
        1,
        2,
        7,
        EvaluationState.NONE,
        List.of(List.of(new Parameter("a", List.of(4L)))));
  }

  private static TrainerState parse(String json) {
    return TrainerState.parse(json.getBytes(UTF_8), "trainer.json");
  }
}
