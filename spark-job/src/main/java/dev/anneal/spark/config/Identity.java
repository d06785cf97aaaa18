package dev.anneal.spark.config;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.training.fused.HeadProducts;
import dev.anneal.training.model.Objective.Per;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.trainer.TrainingSpec;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * Whether a key belongs to what a run computes, apart from where it does.
 *
 * @param counts for which configurations it does
 * @param value how its value is compared and said
 */
record Identity(Predicate<AnnealConfig> counts, Function<JsonNode, String> value) {
  static final Identity NEVER = when(config -> false);
  static final Identity ALWAYS = when(config -> true);
  static final Identity OF_ADAPTERS = when(Identity::trainsAdapters);

  /** A pattern counts where there is one, so that older checkpoints stay usable without. */
  static final Identity OF_RANK_PATTERN =
      when(config -> trainsAdapters(config) && !config.lora().modules().rankPattern().isEmpty());

  static final Identity OF_ALPHA_PATTERN =
      when(config -> trainsAdapters(config) && !config.lora().modules().alphaPattern().isEmpty());

  /** Where it is one, so that older checkpoints stay usable without. */
  static final Identity OF_DORA = when(config -> trainsAdapters(config) && config.lora().useDora());

  static final Identity OF_PISSA =
      when(config -> trainsAdapters(config) && !config.lora().start().init().equals("default"));

  /** Where evaluations decide what comes of the run; older checkpoints stay usable without. */
  static final Identity OF_JUDGED_RUNS =
      when(config -> publishesBest(config) || config.evaluation().patience() > 0);

  static final Identity OF_BEST = when(Identity::publishesBest);
  static final Identity OF_PATIENCE = when(config -> config.evaluation().patience() > 0);

  /** Another ratio than before there was one. */
  static final Identity OF_LORA_PLUS =
      when(config -> trainsAdapters(config) && config.lora().loraplusLrRatio() != 1);

  static final Identity OF_NORMS_THAT_STAY =
      when(
          config ->
              !trainsAdapters(config)
                  && config.optimizer().weightDecay() > 0
                  && !config.optimizer().decayNorms());

  /** Another loss than before there was a choice. */
  static final Identity OF_ROW_LOSS =
      when(config -> config.training().objective().loss() == Per.ROW);

  static final Identity OF_LABEL_SMOOTHING =
      when(config -> config.training().objective().labelSmoothing() > 0);
  static final Identity OF_NEFTUNE =
      when(config -> config.training().objective().neftuneNoiseAlpha() > 0);

  /** What a schedule does not look at does not count. */
  static final Identity OF_MIN_LR =
      when(
          config ->
              is(config, LearningRateSchedule.Type.COSINE_WITH_MIN_LR)
                  || is(config, LearningRateSchedule.Type.WARMUP_STABLE_DECAY));

  static final Identity OF_RESTARTS =
      when(config -> is(config, LearningRateSchedule.Type.COSINE_WITH_RESTARTS));
  static final Identity OF_DECAY =
      when(config -> is(config, LearningRateSchedule.Type.WARMUP_STABLE_DECAY));

  /** Masks are drawn for a micro-batch. */
  static final Identity OF_DROPOUT =
      when(config -> trainsAdapters(config) && config.lora().dropout() > 0);

  /** An exact head counts for nothing: it is what all runs had before there was a choice. */
  static final Identity OF_HEAD =
      when(config -> trainsAdapters(config) && config.compute().head() != HeadProducts.EXACT);

  /** No exact edges count for nothing: no run had any before they could be. */
  static final Identity OF_EXACT_EDGES =
      when(config -> trainsAdapters(config) && config.baseWeights().exactEdges() > 0);

  private static Identity when(Predicate<AnnealConfig> counts) {
    return new Identity(counts, value -> value.isTextual() ? value.asText() : value.toString());
  }

  /** The same for a value that may be written in several ways. */
  Identity as(Function<JsonNode, String> value) {
    return new Identity(counts, value);
  }

  private static boolean is(AnnealConfig config, LearningRateSchedule.Type schedule) {
    return config.schedule().type() == schedule;
  }

  private static boolean publishesBest(AnnealConfig config) {
    return config.evaluation().keep() == TrainingSpec.Keep.BEST;
  }

  private static boolean trainsAdapters(AnnealConfig config) {
    return config.training().mode() == TrainingSpec.Mode.LORA;
  }
}
