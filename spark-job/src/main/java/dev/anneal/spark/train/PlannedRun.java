package dev.anneal.spark.train;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.trainer.MemoryChoice;
import dev.anneal.training.trainer.MemoryPlan;
import dev.anneal.training.trainer.MemoryTable;
import dev.anneal.training.trainer.RowStatistics;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import dev.anneal.training.trainer.SpeedEstimate.Nodes;
import dev.anneal.training.trainer.TrainingSpec;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** A run as the planner of the core sees it. */
public final class PlannedRun {
  private PlannedRun() {}

  /**
   * Its memory. What is left to memory to decide stands as if all layers were computed again and
   * nothing were moved to the host.
   *
   * @param rows what is known of its data set
   */
  public static MemoryPlan of(
      AnnealConfig config, LlamaConfig shape, MemoryPlan.Machine machine, RowStatistics rows) {
    return new MemoryPlan(
        rank(config, shape),
        new BatchShape(config.training().microBatchSize(), config.data().sequences().maxLength()),
        machine,
        rows);
  }

  /**
   * Its memory before there are nodes that agree, with what is left open chosen for ranks that
   * share the machine.
   *
   * @param rows what is known of its data set
   * @param kind of its GPUs; empty where their speed is not known
   */
  public static MemoryPlan settled(
      AnnealConfig config,
      LlamaConfig shape,
      MemoryPlan.Machine machine,
      RowStatistics rows,
      Optional<GpuKind> kind) {
    MemoryPlan plan = of(config, shape, machine, rows);
    // a run does not know its network, so neither does who asks before
    return config.open().isEmpty()
        ? plan
        : MemoryChoice.of(plan, config.open(), Nodes.of(machine.gpus()), kind).in(plan);
  }

  /** How many layers {@code plan} has on the host where they were left open, as a setting. */
  public static String chosenHostLayers(MemoryPlan plan, Optional<GpuKind> kind) {
    return "activations.host_layers="
        + plan.rank().spec().compute().activations().hostLayers()
        + MemoryChoice.noHostLayers(plan, kind).map(" (%s)"::formatted).orElse("");
  }

  /** A rank of it. */
  public static MemoryTable.Rank rank(AnnealConfig config, LlamaConfig shape) {
    // how many steps there are decides nothing here
    TrainingSpec spec = Specs.training(config, config.globalBatch());
    int shardSize =
        switch (spec.weights().shard()) {
          case NONE -> 1;
          case NODE -> config.cluster().gpusPerNode();
          case WORLD -> config.worldSize();
        };
    return new MemoryTable.Rank(
        shape, spec, config.worldSize(), shardSize, config.checkpoint().everySteps() > 0);
  }

  /** What is known of the rows before there is a data set. */
  public static RowStatistics rows(AnnealConfig config) {
    return RowStatistics.unknown(config.data().sequences().packing());
  }

  /** What the manifest of a data set tells of its rows. */
  public static RowStatistics rows(DatasetManifest dataset) {
    DatasetManifest.Part train = dataset.train();
    // of a row that is split, every piece counts as one of the split's
    long pieces =
        dataset.rows().split() == 0
            ? 0
            : Math.max(0, train.rows() + dataset.eval().rows() - dataset.rows().kept())
                + dataset.rows().split();
    return new RowStatistics(
        lengths(dataset),
        pieces,
        train.rows() > train.sequences(),
        average(train.tokens(), train.sequences()),
        average(train.tokens(), train.rows()),
        average(train.targetTokens(), train.tokens()));
  }

  /** 0 of nothing, which counts as not known. */
  private static double average(long sum, long count) {
    return count == 0 ? 0 : (double) sum / count;
  }

  /** Of the rows that are there: the manifest counts those that were left out too. */
  private static SortedMap<Integer, Long> lengths(DatasetManifest dataset) {
    SortedMap<Integer, Long> lengths = new TreeMap<>();
    if (dataset.tokenLengths() != null) {
      lengths.putAll(dataset.tokenLengths());
    }
    if (dataset.spec().dropsLongRows()) {
      // all rows of a bucket are longer than half of its key
      lengths.keySet().removeIf(bucket -> bucket / 2 >= dataset.spec().maxLength());
    }
    return lengths;
  }
}
