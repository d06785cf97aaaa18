package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.Golden;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LearningRateScheduleTest {

  @Test
  void linearIsExactlyTheReference() throws IOException {
    JsonNode reference = new ObjectMapper().readTree(Golden.path("reference.json").toFile());
    JsonNode recipe = reference.get("recipe");
    LearningRateSchedule schedule =
        new LearningRateSchedule(
            LearningRateSchedule.Type.LINEAR,
            recipe.get("warmup_steps").longValue(),
            recipe.get("total_steps").longValue());
    double learningRate = recipe.get("learning_rate").doubleValue();

    assertThat(reference.get("steps")).hasSize(20);
    for (JsonNode step : reference.get("steps")) {
      assertThat(learningRate * schedule.factor(step.get("step").longValue() - 1))
          .as("step %s", step.get("step"))
          .isEqualTo(step.get("lr").doubleValue());
    }
  }

  @ParameterizedTest
  @EnumSource(LearningRateSchedule.Type.class)
  void warmUpRisesFromZeroInEqualSteps(LearningRateSchedule.Type type) {
    LearningRateSchedule schedule = new LearningRateSchedule(type, 4, 12);

    assertThat(schedule.factor(0)).isZero();
    assertThat(schedule.factor(1)).isEqualTo(0.25);
    assertThat(schedule.factor(3)).isEqualTo(0.75);
    assertThat(schedule.factor(4)).isEqualTo(1);
  }

  @Test
  void linearFallsToZeroAndStaysThere() {
    LearningRateSchedule schedule =
        new LearningRateSchedule(LearningRateSchedule.Type.LINEAR, 0, 10);

    assertThat(schedule.factor(0)).isEqualTo(1);
    assertThat(schedule.factor(5)).isEqualTo(0.5);
    assertThat(schedule.factor(10)).isZero();
    assertThat(schedule.factor(15)).isZero();
  }

  @Test
  void cosineIsHalfAPeriod() {
    LearningRateSchedule schedule =
        new LearningRateSchedule(LearningRateSchedule.Type.COSINE, 2, 14);

    assertThat(schedule.factor(2)).isEqualTo(1);
    assertThat(schedule.factor(6)).isCloseTo(0.75, within(1e-15));
    assertThat(schedule.factor(8)).isCloseTo(0.5, within(1e-15));
    assertThat(schedule.factor(10)).isCloseTo(0.25, within(1e-15));
    assertThat(schedule.factor(14)).isCloseTo(0, within(1e-15));
  }

  @Test
  void constantStays() {
    LearningRateSchedule schedule =
        new LearningRateSchedule(LearningRateSchedule.Type.CONSTANT, 1, 10);

    assertThat(schedule.factor(0)).isZero();
    assertThat(schedule.factor(1)).isEqualTo(1);
    assertThat(schedule.factor(1000)).isEqualTo(1);
  }

  @Test
  void aRunThatIsAllWarmUpNeverDividesByZero() {
    LearningRateSchedule schedule =
        new LearningRateSchedule(LearningRateSchedule.Type.LINEAR, 5, 5);

    assertThat(schedule.factor(4)).isEqualTo(0.8);
    assertThat(schedule.factor(5)).isZero();
  }
}
