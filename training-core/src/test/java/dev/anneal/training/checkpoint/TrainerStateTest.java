package dev.anneal.training.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.checkpoint.TrainerState.Parameter;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainerStateTest {
  private static final String WHERE = "out/trainer.json";

  private static final TrainerState STATE =
      new TrainerState(
          20,
          17,
          2,
          3,
          6,
          -42,
          EvaluationState.NONE,
          List.of(
              List.of(
                  new Parameter("a.weight", List.of(4L, 8L)),
                  new Parameter("b.weight", List.of(8L))),
              List.of(new Parameter("c.weight", List.of(2L)))));

  private static final String JSON = STATE.toJson();

  @Test
  void isReadBackAsItWasWritten() {
    assertThat(parse(JSON)).isEqualTo(STATE);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"step\": 20 | \"step\": -1 | step must be 0 or more",
        "\"step\": 20 | \"step\": 21 | 21 steps of 6 sequences do not end at sequence 120",
        "\"step\": 20 | \"step\": 9223372036854775807 | do not end at sequence",
        "\"step\": 20 | \"step\": 20, \"step\": 20 | is not valid JSON",
        "\"step\": 20 | \"step\": 20, \"x\": 20 | x is not known",
        "\"optimizer_step\": 17 | \"optimizer_step\": 19 | cannot be of 20 steps",
        "\"optimizer_step\": 17 | \"optimizer_step\": -9223372036854775808 | cannot be of 20 steps",
        "\"skipped_in_a_row\": 2 | \"skipped_in_a_row\": -1 | cannot be of 20 steps",
        "\"world_size\": 3 | \"world_size\": 0 | world_size must be 1 to 100000, not 0",
        "\"global_batch\": 6 | \"global_batch\": 0 | global_batch must be 1 or more",
        "\"seed\": -42 | \"seed\": \"-42\" | seed must be a whole number",
        "\"anneal_trainer\": 1 | \"anneal_trainer\": 7 | reads only 1",
        "\"buckets\": [ | \"buckets\": {}, \"x\": [ | is not known",
        "\"parameters\": [ | \"x\": 1, \"parameters\": [ | buckets[0].x is not known",
        "\"name\": \"a.weight\" | \"name\": 1 | parameters[0].name must be text"
      })
  void refusesWhatIsNotOne(String from, String to, String problem) {
    assertThat(JSON).contains(from);
    assertInvalid(JSON.replace(from, to), problem);
  }

  @Test
  void refusesShapesWithoutElements() {
    assertInvalid(JSON.replaceFirst("4,\\s*8", "0, 8"), "has the shape [0, 8]");
    assertInvalid(JSON.replaceFirst("4,\\s*8", "9223372036854775807, 8"), "is too large");
  }

  @Test
  void saysWhatDiffersFromTheRunThatGoesOn() {
    assertDiffers(fresh(3, 6, 42, STATE.buckets()), "its seed is -42, but this run's is 42");
    assertDiffers(fresh(3, 8, -42, STATE.buckets()), "its global batch is 6, but this run's is 8");
    assertDiffers(
        fresh(3, 6, -42, STATE.buckets().subList(0, 1)),
        "its number of buckets is 2, but this run's is 1");
    List<Parameter> other = List.of(new Parameter("c.weight", List.of(3L)));
    assertDiffers(
        fresh(3, 6, -42, List.of(STATE.buckets().get(0), other)),
        "its parameter 0 of bucket 1 is c.weight [2], but this run's is c.weight [3]");
    List<Parameter> fewer = STATE.buckets().get(0).subList(0, 1);
    assertDiffers(
        fresh(3, 6, -42, List.of(fewer, STATE.buckets().get(1))),
        "its number of parameters in bucket 0 is 2, but this run's is 1");
    // the world size may be another
    STATE.requireSameRun(fresh(5, 6, -42, STATE.buckets()), WHERE);
  }

  private static TrainerState fresh(
      int worldSize, long globalBatch, long seed, List<List<Parameter>> buckets) {
    return new TrainerState(0, 0, 0, worldSize, globalBatch, seed, EvaluationState.NONE, buckets);
  }

  private static void assertDiffers(TrainerState run, String difference) {
    assertThatThrownBy(() -> STATE.requireSameRun(run, WHERE))
        .isInstanceOf(InvalidCheckpointException.class)
        .hasMessage(WHERE + " is of another run: " + difference + ".");
  }

  private static TrainerState parse(String json) {
    return TrainerState.parse(json.getBytes(UTF_8), WHERE);
  }

  private static void assertInvalid(String json, String problem) {
    assertThatThrownBy(() -> parse(json))
        .isInstanceOf(InvalidCheckpointException.class)
        .hasMessageStartingWith(WHERE)
        .hasMessageContaining(problem);
  }
}
