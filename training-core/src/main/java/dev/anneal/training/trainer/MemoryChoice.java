package dev.anneal.training.trainer;

import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.trainer.MemoryTable.Rank;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import dev.anneal.training.trainer.SpeedEstimate.Nodes;
import java.io.Serializable;
import java.util.Comparator;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/**
 * The settings that memory decides where a user leaves them to it. What a run computes is the same
 * bit for bit whatever they are.
 *
 * @param offloadRatio of {@code base_weights.offload_ratio}
 * @param recomputedLayers how many layers are computed again; {@link Integer#MAX_VALUE}: all
 * @param hostLayers how many layers keep everything in host memory
 */
public record MemoryChoice(double offloadRatio, int recomputedLayers, int hostLayers)
    implements Serializable {

  /** A setting that is left open; the plan's own value of it does not count. */
  public enum Open {
    OFFLOAD_RATIO,
    RECOMPUTED_LAYERS,
    HOST_LAYERS
  }

  /**
   * The smallest ratio that fits with all layers computed again, or with as many as is given, and
   * none on the host, or as many as are given. With that ratio the fewest layers computed again,
   * and so many on the host that the run is the fastest by {@link SpeedEstimate}; the fewer of
   * those that are alike. Where nothing fits by the table, what comes nearest: its estimates may be
   * too high.
   *
   * @param nodes GPUs that share a host's copies
   * @param kind of GPU; empty where its speed is not known
   */
  public static MemoryChoice of(
      MemoryPlan plan, Set<Open> open, Nodes nodes, Optional<GpuKind> kind) {
    MemoryPlan settled = plan;
    if (open.contains(Open.RECOMPUTED_LAYERS)) {
      settled = settled.with(activations(settled).first(Integer.MAX_VALUE));
    }
    if (open.contains(Open.HOST_LAYERS)) {
      settled = settled.with(activations(settled).onHost(0));
    }
    if (open.contains(Open.OFFLOAD_RATIO)) {
      settled = settled.with(settled.rank().withOffloadRatio(ratio(settled)));
    }
    if (open.contains(Open.HOST_LAYERS) && noHostLayers(plan, kind).isEmpty()) {
      settled = fastest(settled, open, with -> tokensPerSecond(with, nodes, kind));
    } else if (open.contains(Open.RECOMPUTED_LAYERS)) {
      settled = withFewest(settled);
    }
    return new MemoryChoice(
        settled.rank().spec().weights().offloadRatio(),
        activations(settled).recomputedLayers(),
        activations(settled).hostLayers());
  }

  /** Why none is chosen to wait on the host, in words, where the choice cannot weigh it. */
  public static Optional<String> noHostLayers(MemoryPlan plan, Optional<GpuKind> kind) {
    if (!TrainingRun.isFused(plan.rank().spec())) {
      return Optional.of("only the fused layers can wait on the host");
    }
    if (kind.isEmpty()) {
      return Optional.of("the speed of these GPUs is not known");
    }
    return plan.machine().hostBytes() == Long.MAX_VALUE
        ? Optional.of("what the host has is not known")
        : Optional.empty();
  }

  /** The plan with these settings. */
  public MemoryPlan in(MemoryPlan plan) {
    MemoryPlan ratio = plan.with(plan.rank().withOffloadRatio(offloadRatio));
    return ratio.with(activations(ratio).first(recomputedLayers).onHost(hostLayers));
  }

  private static double ratio(MemoryPlan plan) {
    if (plan.rank().spec().mode() == TrainingSpec.Mode.FULL) {
      return 0;
    }
    OptionalDouble smallest = plan.smallestOffloadRatio();
    return smallest.orElseGet(() -> plan.largestOffloadRatio().orElse(0));
  }

  private static MemoryPlan fastest(
      MemoryPlan plan, Set<Open> open, ToDoubleFunction<MemoryPlan> speed) {
    UnaryOperator<MemoryPlan> settle =
        open.contains(Open.RECOMPUTED_LAYERS) ? MemoryChoice::withFewest : UnaryOperator.identity();
    int recomputed = activations(plan).recomputedLayers();
    MemoryPlan best = settle.apply(plan);
    int layers = plan.rank().config().numHiddenLayers();
    // a number of layers computed again stands; all means all others
    int most = recomputed == Integer.MAX_VALUE ? layers : layers - recomputed;
    double fastest = best.fits() ? speed.applyAsDouble(best) : 0;
    for (int onHost = 1; onHost <= most; onHost++) {
      MemoryPlan more = plan.with(activations(plan).onHost(onHost));
      // none computed again is the fastest with so many, and no faster with more of them
      if (speed.applyAsDouble(more.with(activations(more).first(0))) <= fastest) {
        break;
      }
      MemoryPlan next = settle.apply(more);
      if (next.fits() && speed.applyAsDouble(next) > fastest) {
        best = next;
        fastest = speed.applyAsDouble(next);
      }
    }
    return fastest > 0 ? best : nearest(plan, most);
  }

  /** The one that takes the least of the GPU, as far as the host holds it. */
  private static MemoryPlan nearest(MemoryPlan plan, int most) {
    return IntStream.rangeClosed(0, most)
        .mapToObj(onHost -> plan.with(activations(plan).onHost(onHost)))
        .filter(MemoryPlan::hostHolds)
        .min(Comparator.comparingLong(with -> with.table().deviceBytes()))
        .orElse(plan);
  }

  private static double tokensPerSecond(MemoryPlan plan, Nodes nodes, Optional<GpuKind> kind) {
    return SpeedEstimate.of(plan, nodes, kind).orElseThrow().tokensPerSecond();
  }

  private static MemoryPlan withFewest(MemoryPlan plan) {
    return plan.with(activations(plan).first(fewest(plan)));
  }

  private static int fewest(MemoryPlan plan) {
    Rank rank = plan.rank();
    boolean gathered = rank.shardSize() > 1 || rank.spec().weights().offloadRatio() > 0;
    if (gathered && !TrainingRun.isFused(rank.spec())) {
      // a graph of libtorch's would keep whole layers
      return Integer.MAX_VALUE;
    }
    KeptActivations activations = activations(plan);
    int layers = rank.config().numHiddenLayers();
    int others = layers - activations.host(layers);
    if (plan.with(activations.first(0)).fits()) {
      return 0;
    }
    // the more layers are computed again, the less is on the GPU; but for all of them, which may
    // take a little more than all but one
    long tooFew =
        MemoryPlan.largest(again -> !plan.with(activations.first((int) again)).gpuHolds(), others);
    int fewest = (int) tooFew + 1;
    return fewest < others && plan.with(activations.first(fewest)).fits()
        ? fewest
        : Integer.MAX_VALUE;
  }

  private static KeptActivations activations(MemoryPlan plan) {
    return plan.rank().spec().compute().activations();
  }
}
