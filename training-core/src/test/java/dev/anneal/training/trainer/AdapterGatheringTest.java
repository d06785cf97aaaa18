package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Property;
import dev.anneal.training.TinyModels;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.optim.Parameters.Gathered;
import dev.anneal.training.tensor.DType;
import java.util.List;
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
    try (Property property = Property.set(AdapterGathering.PROPERTY, "never")) {
      assertThat(AdapterGathering.of(spec, config, worldSize, shardSize, fused))
          .isEqualTo(expected);
    }
    assertThat(AdapterGathering.of(spec, config, worldSize, shardSize, fused))
        .as("of a tiny model")
        .isEqualTo(Gathered.ONCE_A_STEP);
  }

  /** A unit of r is 2.62 million weights at 8B, 12.9 at 70B and 39.0 at 405B; 2 GiB hold 1,074. */
  @ParameterizedTest
  @CsvSource({
    "llama3.1-8b, 64, BF16, ONCE_A_STEP",
    "llama3.1-8b, 409, BF16, ONCE_A_STEP",
    "llama3.1-8b, 410, BF16, BY_BUCKET",
    "llama3.1-8b, 410, FP32, BY_BUCKET",
    "llama3.1-70b, 64, BF16, ONCE_A_STEP",
    "llama3.1-70b, 64, FP32, BY_BUCKET",
    "llama3.1-405b, 16, BF16, ONCE_A_STEP",
    "llama3.1-405b, 64, BF16, BY_BUCKET"
  })
  void smallOnesStayTogether(String shape, int r, DType compute, Gathered expected) {
    TrainingSpec spec =
        Recipe.from(ResumableRun.SPLIT.spec(1))
            .lora(new LoraSpec(r, r, 0, false, List.of("all-linear")))
            .computeDtype(compute)
            .spec();
    LlamaConfig config = LlamaConfig.named(shape);
    assertThat(AdapterGathering.of(spec, config, 2, 2, true)).isEqualTo(expected);
    try (Property property = Property.set(AdapterGathering.PROPERTY, "always")) {
      assertThat(AdapterGathering.of(spec, config, 2, 2, true)).isEqualTo(Gathered.ONCE_A_STEP);
    }
  }

  /** An element is summed in fp32; 2 GiB hold 205 of 8B's units. */
  @ParameterizedTest
  @CsvSource({
    "llama3.1-8b, 204, BY_MICRO_BATCH",
    "llama3.1-8b, 205, BY_BUCKET",
    "llama3.1-70b, 16, BY_MICRO_BATCH",
    "llama3.1-70b, 64, BY_BUCKET"
  })
  void gradientsOfSmallOnesAreSummedTogetherWhereThatIsAsked(
      String shape, int r, Parameters.Summed expected) {
    TrainingSpec spec =
        Recipe.from(ResumableRun.SPLIT.spec(1))
            .lora(new LoraSpec(r, r, 0, false, List.of("all-linear")))
            .spec();
    LlamaConfig config = LlamaConfig.named(shape);
    assertThat(AdapterGathering.summed(spec, config)).isEqualTo(Parameters.Summed.BY_BUCKET);
    try (Property property = Property.set(AdapterGathering.GRADIENTS_PROPERTY, "small")) {
      assertThat(AdapterGathering.summed(spec, config)).isEqualTo(expected);
    }
  }
}
