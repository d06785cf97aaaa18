package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.Golden;
import dev.anneal.training.optim.LearningRateSchedule.Decay;
import dev.anneal.training.optim.LearningRateSchedule.Options;
import java.io.IOException;
import java.io.InputStream;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
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

  /** Every type with every option, by {@code bench/peft/schedules.py}. */
  @Test
  void factorsAreThoseOfTransformers() throws IOException {
    JsonNode reference;
    try (InputStream in = getClass().getResourceAsStream("schedules.json")) {
      reference = new ObjectMapper().readTree(in);
    }
    assertThat(reference.get("transformers").textValue()).isEqualTo("5.17.0");
    Set<LearningRateSchedule.Type> compared = EnumSet.noneOf(LearningRateSchedule.Type.class);
    for (JsonNode example : reference.get("cases")) {
      LearningRateSchedule schedule = schedule(example, reference.get("total_steps").longValue());
      for (JsonNode factor : example.get("factors")) {
        assertThat(schedule.factor(factor.get(0).longValue()))
            .as("%s, step %s", schedule, factor.get(0))
            .isCloseTo(factor.get(1).doubleValue(), within(1e-15));
      }
      compared.add(schedule.type());
    }
    assertThat(compared).containsExactly(LearningRateSchedule.Type.values());
  }

  private static LearningRateSchedule schedule(JsonNode example, long totalSteps) {
    Decay decay =
        switch (example.path("decay_type").asText("cosine")) {
          case "linear" -> Decay.LINEAR;
          case "cosine" -> Decay.COSINE;
          case "1-sqrt" -> Decay.ONE_MINUS_SQRT;
          default -> throw new IllegalArgumentException(example.toString());
        };
    return new LearningRateSchedule(
        LearningRateSchedule.Type.valueOf(example.get("type").textValue().toUpperCase(Locale.ROOT)),
        example.get("warmup_steps").longValue(),
        totalSteps,
        new Options(
            example.path("min_lr_ratio").asDouble(0),
            example.path("cycles").asLong(1),
            example.path("decay_steps").asLong(0),
            decay));
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
