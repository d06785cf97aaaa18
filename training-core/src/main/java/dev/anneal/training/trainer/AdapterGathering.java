package dev.anneal.training.trainer;

import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.weights.Together;

/** When adapters' values come together from all ranks, and when their gradients are summed. */
final class AdapterGathering {
  /** The system property that says whether they stay {@link Together}, for measurements. */
  static final String PROPERTY = "anneal.adapters.together";

  /**
   * The system property that says whether a micro-batch's gradients are summed {@link Together};
   * they are not without it, since it has not run on GPUs.
   */
  static final String GRADIENTS_PROPERTY = "anneal.gradients.together";

  private AdapterGathering() {}

  /**
   * Large ones come with the frozen layers where these do from the same ranks, which then go
   * through the layers together anyway. Between nodes that would cross the network at every layer,
   * so there it is once a step. So it is where autograd keeps graphs, which need all values until
   * the backward.
   *
   * @param shardSize ranks that frozen layers are split over; 1: every rank has them all
   * @param fused whether the fused layers serve
   */
  static Parameters.Gathered of(
      TrainingSpec spec, LlamaConfig config, int worldSize, int shardSize, boolean fused) {
    boolean alike = worldSize > 1 && shardSize == worldSize;
    boolean keepsGraphs =
        !fused && spec.compute().activations().recomputedLayers() < config.numHiddenLayers();
    return spec.mode() == TrainingSpec.Mode.LORA
            && alike
            && !keepsGraphs
            && !Together.asked(PROPERTY).admits(bytes(spec, config))
        ? Parameters.Gathered.BY_BUCKET
        : Parameters.Gathered.ONCE_A_STEP;
  }

  /** When gradients of adapters are summed. */
  static Parameters.Summed summed(TrainingSpec spec, LlamaConfig config) {
    return Together.asked(GRADIENTS_PROPERTY, Together.NEVER)
            .admits(elements(spec, config) * Float.BYTES)
        ? Parameters.Summed.BY_MICRO_BATCH
        : Parameters.Summed.BY_BUCKET;
  }

  /** What the values of all adapters take. */
  private static long bytes(TrainingSpec spec, LlamaConfig config) {
    return elements(spec, config)
        * LoraModel.computeDtype(spec.lora(), spec.compute().dtype()).bytes();
  }

  private static long elements(TrainingSpec spec, LlamaConfig config) {
    return LoraModel.elements(config, LoraLayout.of(spec.lora(), config));
  }
}
