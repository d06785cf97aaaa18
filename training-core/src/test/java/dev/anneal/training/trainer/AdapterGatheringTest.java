package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.TinyModels;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters.Gathered;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** When adapters come together layer by layer, and when once a step. */
class AdapterGatheringTest {
  private static final int LAYERS = 2;

  @ParameterizedTest
  @CsvSource({
    // weights are split over all ranks
    "SPLIT, 2, 2, 2, false, BY_BUCKET",
    "SPLIT, 8, 8, 2, true, BY_BUCKET",
    // the fused layers keep no values, whatever they keep of the forward
    "SPLIT, 2, 2, 0, true, BY_BUCKET",
    "SPLIT, 2, 2, 1, true, BY_BUCKET",
    // graphs of autograd do
    "SPLIT, 2, 2, 0, false, ONCE_A_STEP",
    "SPLIT, 2, 2, 1, false, ONCE_A_STEP",
    // several nodes, and weights that are not split
    "SPLIT, 16, 8, 2, true, ONCE_A_STEP",
    "FP32, 2, 1, 2, true, ONCE_A_STEP",
    // nothing to gather
    "SPLIT, 1, 1, 2, true, ONCE_A_STEP",
    // every weight trains, and none is split
    "FULL, 2, 2, 2, false, ONCE_A_STEP"
  })
  void followsTheFrozenLayers(
      ResumableRun run,
      int worldSize,
      int shardSize,
      int recomputed,
      boolean fused,
      Gathered expected) {
    KeptActivations activations = KeptActivations.INPUTS.first(recomputed);
    TrainingSpec spec = Recipe.from(run.spec(1)).activations(activations).spec();
    LlamaConfig config = TinyModels.config(TinyModels.Embeddings.UNTIED);
    assertThat(config.numHiddenLayers()).isEqualTo(LAYERS);
    assertThat(ModelLoader.gathered(spec, config, worldSize, shardSize, fused)).isEqualTo(expected);
  }
}
