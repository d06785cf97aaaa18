package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Property;
import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenLayers.Shard;
import dev.anneal.training.weights.FrozenVocabulary;
import dev.anneal.training.weights.Transport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * How two GPUs come by the layers that they share changes no number of a run. Its ranks are
 * threads; between processes {@code bench/train/run LOG split} shows both and their losses.
 */
@Tag("gpu")
class SplitTrainingGpuTest {
  private static ReferenceRun reference;

  @TempDir Path output;

  @BeforeAll
  static void load() throws IOException {
    NcclPair.assumeGpus(2);
    reference = ReferenceRun.load();
  }

  @AfterEach
  void forget() {
    System.clearProperty(Transport.WEIGHTS);
  }

  @ParameterizedTest
  @CsvSource({
    "FP8, 0, CHECKPOINT", "FP8, 0.5, CHECKPOINT", "FP8, 1, KEEP",
    "BF16, 0, KEEP", "BF16, 0.5, CHECKPOINT", "BF16, 1, CHECKPOINT"
  })
  void pulledGatheredAndWholeLayersGiveTheSame(DType base, double ratio, String activations)
      throws Exception {
    Recipe recipe =
        Recipe.from(reference.spec(2))
            .computeDtype(DType.BF16)
            .baseDtype(base)
            .matmul(base == DType.FP8 ? Matmul.FP8 : Matmul.COMPUTE)
            .activations(activations.equals("KEEP") ? KeptActivations.ALL : KeptActivations.INPUTS);
    List<Double> whole = losses(recipe.shard(Shard.NONE), Transport.ANY);
    recipe.shard(Shard.NODE).offloadRatio(ratio);
    List<Double> gathered = losses(recipe, Transport.COLLECTIVE);
    assertThat(gathered).as("gathered against whole").isEqualTo(whole).isNotEmpty();
    // out of ordinary memory the first step hung
    List<Double> pulled = losses(recipe, Transport.PEERS);
    assertThat(pulled).as("pulled against whole").isEqualTo(whole);
  }

  /**
   * With adapters layer by layer, the head when it is asked for, and the embedding whole; and with
   * gradients summed together.
   */
  @ParameterizedTest
  @CsvSource({
    "never, small, on, small",
    "small, never, on, never",
    "small, small, off, small",
    "never, never, off, never"
  })
  void nothingThatComesEarlyLateOrNotAtAllChangesANumber(
      String adapters, String head, String rows, String gradients) throws Exception {
    Recipe recipe =
        Recipe.from(reference.spec(2))
            .computeDtype(DType.BF16)
            .baseDtype(DType.FP8)
            .matmul(Matmul.FP8)
            .activations(KeptActivations.ALL);
    List<Double> whole = losses(recipe.shard(Shard.NONE), Transport.ANY);
    recipe.shard(Shard.NODE);
    try (Property ofAdapters = Property.set(AdapterGathering.PROPERTY, adapters);
        Property ofHead = Property.set(FrozenVocabulary.HEAD_PROPERTY, head);
        Property ofRows = Property.set(FrozenVocabulary.ROWS_PROPERTY, rows);
        Property ofSums = Property.set(AdapterGathering.GRADIENTS_PROPERTY, gradients)) {
      assertThat(losses(recipe, Transport.PEERS)).as("pulled").isEqualTo(whole);
      assertThat(losses(recipe, Transport.COLLECTIVE)).as("gathered").isEqualTo(whole);
    }
  }

  /** Losses and norms of rank 0, after those of both were found equal. */
  private List<Double> losses(Recipe recipe, Transport transport) throws Exception {
    System.setProperty(Transport.WEIGHTS, transport.name().toLowerCase(Locale.ROOT));
    TrainingSpec spec = recipe.spec();
    List<List<StepMetrics>> steps =
        NcclRanks.run(
            2,
            ranks -> reference.train(spec, ranks, output.resolve(transport + "-" + ranks.rank())));
    assertThat(RecordingListener.numbers(steps.get(1)))
        .as("rank 1's numbers")
        .isEqualTo(RecordingListener.numbers(steps.get(0)));
    return RecordingListener.numbers(steps.get(0));
  }
}
