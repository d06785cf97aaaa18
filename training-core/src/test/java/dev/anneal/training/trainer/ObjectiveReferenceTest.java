package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.Objective.Per;
import dev.anneal.training.optim.AdamWSpec;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Label smoothing, a loss per row and NEFTune as transformers' Trainer has them, step by step, to
 * the fifth digit ({@code bench/peft/objectives.py}), however the global batch is divided.
 */
class ObjectiveReferenceTest {
  /** Sequences of a global batch. */
  private static final int GLOBAL_BATCH = 8;

  @TempDir Path output;

  @ParameterizedTest
  @CsvSource({
    "label_smoothing, 1, 4",
    "label_smoothing, 2, 2",
    "row, 1, 8",
    "row, 2, 1",
    "neftune, 1, 4",
    "neftune, 2, 2",
    "full_all, 1, 8",
    "full_all, 2, 4"
  })
  void everyStepEqualsTheReference(String run, int worldSize, int microBatchSize) throws Exception {
    JsonNode expected = reference(run);
    List<StepMetrics> steps = train(expected.get("keys"), worldSize, microBatchSize);
    ReferenceRunTest.Deviation deviation =
        ReferenceRunTest.Deviation.of(steps, expected.get("steps"));
    System.out.printf(
        "%s, %s ranks: loss %.2e relative, grad_norm %.2e relative%n",
        run, worldSize, deviation.loss(), deviation.gradNorm());
    assertThat(deviation.loss()).isLessThan(1e-5);
    assertThat(deviation.gradNorm()).isLessThan(1e-4);
  }

  @Test
  void theReferencesDiffer() throws IOException {
    List<Double> losses =
        List.of("label_smoothing", "row", "neftune", "full_all").stream()
            .map(run -> reference(run).get("steps").get(0).get("loss").asDouble())
            .toList();
    double plain = ReferenceRun.load().reference().get("steps").get(0).get("loss").asDouble();
    assertThat(losses)
        .doesNotHaveDuplicates()
        .allSatisfy(loss -> assertThat(Math.abs(loss / plain - 1)).isGreaterThan(1e-4));
  }

  private List<StepMetrics> train(JsonNode keys, int worldSize, int microBatchSize)
      throws Exception {
    ReferenceRun reference = run(keys);
    TrainingSpec spec =
        recipe(keys).batch(microBatchSize, GLOBAL_BATCH / worldSize / microBatchSize).spec();
    RecordingListener listener = new RecordingListener();
    List<Throwable> thrown =
        GlooRanks.run(
            worldSize,
            world ->
                TrainingRun.run(
                    spec,
                    reference.inputs(firstAdapter(keys), reference.rows(), output),
                    Ranks.onCpu(world),
                    world.rank() == 0 ? listener : new RecordingListener()));
    assertThat(thrown).containsOnlyNulls();
    return listener.steps();
  }

  /** Where it starts. */
  static ReferenceRun run(JsonNode keys) throws IOException {
    return keys.has("mode") ? ReferenceRun.loadFull() : ReferenceRun.load();
  }

  private static LocalModelFolder firstAdapter(JsonNode keys) throws IOException {
    return keys.has("mode") ? null : ReferenceRun.load().adapter("adapter_init");
  }

  static Recipe recipe(JsonNode keys) throws IOException {
    Objective objective =
        new Objective(
            keys.has("loss") ? Per.ROW : Per.TOKEN,
            keys.path("label_smoothing").asDouble(0),
            keys.path("neftune_noise_alpha").asDouble(0));
    // of full tuning, as the Trainer
    return Recipe.from(run(keys).spec(1)).objective(objective).decay(AdamWSpec.Decay.MATRICES);
  }

  static JsonNode reference(String run) {
    try (InputStream json =
        ObjectiveReferenceTest.class.getResourceAsStream("objectives_reference.json")) {
      return new ObjectMapper().readTree(json).get("runs").get(run);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
