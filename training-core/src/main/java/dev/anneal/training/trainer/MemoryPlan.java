package dev.anneal.training.trainer;

import static java.util.Locale.ROOT;

import dev.anneal.training.fused.FusedLlama.Columns;
import dev.anneal.training.fused.HeadProducts;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.activations.KeptActivations.Inputs;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.MemoryTable.Rank;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.LongPredicate;

/**
 * Whether a run fits its machines, and what would make it fit, by {@link MemoryTable}.
 *
 * @param batch the largest micro-batch
 * @param rows what is known of the rows in it
 */
public record MemoryPlan(Rank rank, BatchShape batch, Machine machine, RowStatistics rows) {
  /** Ratios are looked at in hundredths. */
  private static final int RATIOS = 100;

  /**
   * The hosts of a run, all alike.
   *
   * @param gpuBytes memory of each GPU, of which all counts as free
   * @param hostBytes memory of a host; {@link Long#MAX_VALUE}: not known
   * @param gpus of a host, a rank each
   */
  public record Machine(long gpuBytes, long hostBytes, int gpus) {
    boolean holds(MemoryTable table) {
      return table.deviceBytes() <= gpuBytes && table.hostBytes(gpus) <= hostBytes;
    }
  }

  /** A setting that is changed, as a user writes it. */
  private record Change(String setting, MemoryPlan plan) {
    String key() {
      return setting.substring(0, setting.indexOf('='));
    }
  }

  /** What a rank holds. */
  public MemoryTable table() {
    long most = rows.mostRows(batch.rows(), batch.length());
    return MemoryTable.of(rank, batch).withShortRows(rank, batch, most - batch.rows());
  }

  /** Whether GPUs and hosts are large enough. */
  public boolean fits() {
    return machine.holds(table());
  }

  /**
   * The smallest {@code base_weights.offload_ratio} that fits; none where no ratio does, or where
   * weights have to lie whole on the GPU.
   */
  public OptionalDouble smallestOffloadRatio() {
    if (rank.spec().mode() == TrainingSpec.Mode.FULL) {
      return OptionalDouble.empty();
    }
    if (at(0).fits()) {
      return OptionalDouble.of(0);
    }
    if (rank.spec().weights().areWhole()) {
      return OptionalDouble.empty();
    }
    // the more is on the host, the less is on the GPU; the first part of it brings buffers too
    long tooFew = largest(hundredths -> !at(hundredths).gpuHolds(), RATIOS);
    long fewest = tooFew + 1;
    return fewest <= RATIOS && at(fewest).fits()
        ? OptionalDouble.of((double) fewest / RATIOS)
        : OptionalDouble.empty();
  }

  /** The largest ratio whose part of the weights the host holds; none where it has no room. */
  OptionalDouble largestOffloadRatio() {
    long most = largest(hundredths -> at(hundredths).hostHolds(), RATIOS);
    return most > 0 || at(0).hostHolds()
        ? OptionalDouble.of((double) most / RATIOS)
        : OptionalDouble.empty();
  }

  private MemoryPlan at(long hundredths) {
    return with(rank.withOffloadRatio((double) hundredths / RATIOS));
  }

  /** The most sequences of this length in a micro-batch that fit; 0: none. */
  public long largestMicroBatch() {
    return largest(rows -> with(new BatchShape(rows, batch.length())).fits(), 1L << 20);
  }

  /** The longest sequence of which one fits, no longer than the model takes; 0: none. */
  public long longestSequence() {
    return largest(
        length -> with(new BatchShape(1, length)).fits(), rank.config().maxPositionEmbeddings());
  }

  /**
   * The settings with which a run fits that does not as it is, such as {@code
   * base_weights.dtype=fp8}: one if one is enough, in the order of what they cost in speed; none
   * where all of them together are not.
   */
  public Optional<String> remedy() {
    for (Change change : changes()) {
      if (change.plan().fits()) {
        return Optional.of(change.setting());
      }
    }
    MemoryPlan plan = this;
    Set<MemoryPlan> seen = new HashSet<>(Set.of(this));
    // a setting that is changed twice is named once
    Map<String, String> settings = new LinkedHashMap<>();
    while (!plan.fits()) {
      List<Change> left = plan.changes();
      if (left.isEmpty()) {
        return Optional.empty();
      }
      // what is enough goes before what costs less
      Change next = left.stream().filter(c -> c.plan().fits()).findFirst().orElse(left.get(0));
      settings.put(next.key(), next.setting());
      plan = next.plan();
      if (!seen.add(plan)) {
        return Optional.empty();
      }
    }
    return Optional.of(String.join(" and ", settings.values()));
  }

  /** The changes of one setting that are left, what costs least first. */
  private List<Change> changes() {
    List<Change> changes = new ArrayList<>();
    TrainingSpec spec = rank.spec();
    KeptActivations activations = spec.compute().activations();
    if (spec.weights().columns() == Columns.KEPT) {
      changes.add(
          new Change(
              "base_weights.both_layouts=false",
              with(activations, spec.weights().with(Columns.MADE))));
    }
    int layers = rank.config().numHiddenLayers();
    if (activations.keeping(layers) > 0) {
      changes.add(
          new Change(
              "activations.checkpoint=layer",
              with(activations.first(Integer.MAX_VALUE), spec.weights())));
    }
    if (spec.mode() == TrainingSpec.Mode.LORA) {
      addWeights(changes);
    }
    if (activations.inputs() == Inputs.ON_DEVICE && activations.recomputed(layers) > 0) {
      KeptActivations away = activations.with(Inputs.ON_HOST);
      if (with(away).hostHolds()) {
        changes.add(new Change("activations.offload=true", with(away)));
      }
    }
    if (activations.inputs() == Inputs.ON_HOST && !hostHolds()) {
      KeptActivations here = activations.with(Inputs.ON_DEVICE);
      changes.add(new Change("activations.offload=false", with(here)));
    }
    if (activations.copied(layers) > 0 && !hostHolds()) {
      int held = (int) largest(on -> with(activations.onHost((int) on)).hostHolds(), layers);
      // as many as stay on the GPU anyway are none
      int fewer = activations.onHost(held).copied(layers) > 0 ? held : 0;
      changes.add(new Change("activations.host_layers=" + fewer, with(activations.onHost(fewer))));
    }
    long most = largestMicroBatch();
    if (most > 0 && most < batch.rows()) {
      changes.add(
          new Change(
              "training.micro_batch_size=" + most, with(new BatchShape(most, batch.length()))));
    } else if (batch.rows() > 1) {
      changes.add(
          new Change("training.micro_batch_size=1", with(new BatchShape(1, batch.length()))));
    }
    if (rank.checkpoints() && !hostHolds()) {
      Rank without = new Rank(rank.config(), spec, rank.worldSize(), rank.shardSize(), false);
      changes.add(new Change("checkpoint.every_steps=0", with(without)));
    }
    return changes;
  }

  private void addWeights(List<Change> changes) {
    TrainingSpec.Weights weights = rank.spec().weights();
    KeptActivations activations = rank.spec().compute().activations();
    if (weights.dtype() != DType.FP8) {
      changes.add(new Change("base_weights.dtype=fp8", with(activations, weights.as(DType.FP8))));
    }
    // layers that are kept by libtorch's autograd cannot be gathered ones
    boolean gathers =
        TrainingRun.isFused(rank.spec()) || activations.recomputedLayers() == Integer.MAX_VALUE;
    // a head in FP8 is of one that lies whole on each GPU
    boolean splits = !weights.areWhole() && rank.spec().compute().head() == HeadProducts.EXACT;
    if (rank.shardSize() == 1 && machine.gpus() > 1 && gathers && splits) {
      Rank split =
          new Rank(
              rank.config(), rank.spec(), rank.worldSize(), machine.gpus(), rank.checkpoints());
      changes.add(new Change("base_weights.shard=node", with(split)));
    }
    if (weights.areWhole()) {
      if (weights.exactEdges() > 0) {
        changes.add(
            new Change("base_weights.exact_edges=0", with(activations, weights.withExactEdges(0))));
      }
      return;
    }
    OptionalDouble fitting = smallestOffloadRatio();
    // where none is enough, the whole goes as far as a ratio can
    double ratio = fitting.orElse(at(RATIOS).hostHolds() ? 1 : weights.offloadRatio());
    if (ratio != weights.offloadRatio()) {
      changes.add(
          new Change(
              String.format(ROOT, "base_weights.offload_ratio=%.2f", ratio),
              with(rank.withOffloadRatio(ratio))));
    }
  }

  boolean gpuHolds() {
    return table().deviceBytes() <= machine.gpuBytes();
  }

  boolean hostHolds() {
    return table().hostBytes(machine.gpus()) <= machine.hostBytes();
  }

  private MemoryPlan with(KeptActivations activations, TrainingSpec.Weights weights) {
    return with(rank.with(activations, weights));
  }

  MemoryPlan with(KeptActivations activations) {
    return with(activations, rank.spec().weights());
  }

  MemoryPlan with(Rank changed) {
    return new MemoryPlan(changed, batch, machine, rows);
  }

  private MemoryPlan with(BatchShape changed) {
    return new MemoryPlan(rank, changed, machine, rows);
  }

  /** The largest number up to {@code most} that {@code fits}, where all smaller ones do. */
  static long largest(LongPredicate fits, long most) {
    long low = 0;
    long high = most + 1;
    // galloping first, so that few large batches are looked at
    for (long next = 1; next < high; next *= 2) {
      if (!fits.test(next)) {
        high = next;
        break;
      }
      low = next;
    }
    while (low + 1 < high) {
      long middle = low + (high - low) / 2;
      if (fits.test(middle)) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
