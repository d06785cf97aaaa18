package dev.anneal.training.trainer;

import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.trainer.MemoryTable.Rank;
import java.io.Serializable;
import java.util.OptionalDouble;

/**
 * The settings that memory decides where a user leaves them to it. What a run computes is the same
 * bit for bit whatever they are.
 *
 * @param offloadRatio of {@code base_weights.offload_ratio}
 * @param recomputedLayers how many layers are computed again; {@link Integer#MAX_VALUE}: all
 */
public record MemoryChoice(double offloadRatio, int recomputedLayers) implements Serializable {

  /** What is left open; the plan's own value of it does not count. */
  public enum Open {
    NOTHING(false, false),
    OFFLOAD_RATIO(true, false),
    RECOMPUTED_LAYERS(false, true),
    BOTH(true, true);

    private final boolean ratio;
    private final boolean layers;

    Open(boolean ratio, boolean layers) {
      this.ratio = ratio;
      this.layers = layers;
    }

    /** The one of both that says so. */
    public static Open of(boolean ratio, boolean layers) {
      if (ratio) {
        return layers ? BOTH : OFFLOAD_RATIO;
      }
      return layers ? RECOMPUTED_LAYERS : NOTHING;
    }
  }

  /**
   * The smallest ratio that fits with all layers computed again, or with as many as is given, and
   * with that ratio the fewest layers computed again. Where nothing fits by the table, what comes
   * nearest: its estimates may be too high.
   */
  public static MemoryChoice of(MemoryPlan plan, Open open) {
    MemoryPlan settled = plan;
    if (open.layers) {
      settled = settled.with(activations(settled).first(Integer.MAX_VALUE));
    }
    if (open.ratio) {
      settled = settled.with(settled.rank().withOffloadRatio(ratio(settled)));
    }
    double ratio = settled.rank().spec().weights().offloadRatio();
    return new MemoryChoice(
        ratio, open.layers ? fewest(settled) : activations(settled).recomputedLayers());
  }

  /** The plan with these settings. */
  public MemoryPlan in(MemoryPlan plan) {
    MemoryPlan ratio = plan.with(plan.rank().withOffloadRatio(offloadRatio));
    return ratio.with(activations(ratio).first(recomputedLayers));
  }

  private static double ratio(MemoryPlan plan) {
    if (plan.rank().spec().mode() == TrainingSpec.Mode.FULL) {
      return 0;
    }
    OptionalDouble smallest = plan.smallestOffloadRatio();
    return smallest.orElseGet(() -> plan.largestOffloadRatio().orElse(0));
  }

  private static int fewest(MemoryPlan plan) {
    Rank rank = plan.rank();
    boolean gathered = rank.shardSize() > 1 || rank.spec().weights().offloadRatio() > 0;
    if (gathered && !TrainingRun.isFused(rank.spec())) {
      // a graph of libtorch's would keep whole layers
      return Integer.MAX_VALUE;
    }
    int layers = rank.config().numHiddenLayers();
    int others = layers - activations(plan).host(layers);
    for (int recomputed = 0; recomputed < others; recomputed++) {
      if (plan.with(activations(plan).first(recomputed)).fits()) {
        return recomputed;
      }
    }
    return Integer.MAX_VALUE;
  }

  private static KeptActivations activations(MemoryPlan plan) {
    return plan.rank().spec().compute().activations();
  }
}
