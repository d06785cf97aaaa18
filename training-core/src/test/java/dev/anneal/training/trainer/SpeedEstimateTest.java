package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.training.fused.AttentionLibrary;
import dev.anneal.training.fused.FusedLlama.Columns;
import dev.anneal.training.fused.HeadProducts;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.SpeedEstimate.Bound;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import dev.anneal.training.trainer.SpeedEstimate.Nodes;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SpeedEstimateTest {
  private static final Optional<GpuKind> H200 = GpuKind.of(150_000_000_000L);
  private static final BatchShape LONG = new BatchShape(1, 8192);
  private static final RowStatistics UNKNOWN = RowStatistics.unpacked();

  /** 9,225 rows of Alpaca packed to 4,096, as {@code dataset.json} has them. */
  private static final RowStatistics ALPACA =
      new RowStatistics(
          new TreeMap<>(Map.of(64, 1154L, 128, 5236L, 256, 2619L, 512, 206L, 1024, 10L)),
          0,
          true,
          1_044_585 / 257.0,
          1_044_585 / 9225.0,
          525_030 / 1_044_585.0);

  /**
   * Tokens a second of all GPUs, r=64 on all seven modules; docs/plan.md says where and when. The
   * rates were fitted to these.
   */
  @ParameterizedTest
  @CsvSource({
    "llama3.1-8b, FP8, FLASH, KEEP, 4, 1024, 1, false, 0, 23704, COMPUTE",
    "llama3.1-8b, FP8, CUDNN, KEEP, 4, 1024, 1, false, 0, 25848, COMPUTE",
    "llama3.1-8b, BF16, CUDNN, KEEP, 4, 1024, 1, false, 0, 17651, COMPUTE",
    "llama3.1-8b, FP8, FLASH, CHECKPOINT, 4, 1024, 1, false, 0, 18553, COMPUTE",
    "llama3.1-8b, FP8, CUDNN, CHECKPOINT, 4, 1024, 1, false, 0, 20291, COMPUTE",
    "llama3.1-8b, FP8, CUDNN, CHECKPOINT, 1, 32768, 1, false, 0, 7958, COMPUTE",
    "llama3.1-8b, FP8, CUDNN, KEEP, 4, 1024, 2, false, 0, 47480, COMPUTE",
    "llama3.1-8b, FP8, CUDNN, KEEP, 4, 1024, 2, true, 0, 44658, COMPUTE",
    "llama3.1-70b, FP8, FLASH, 28, 4, 1024, 1, false, 0, 3020, COMPUTE",
    "llama3.1-70b, FP8, CUDNN, 24, 4, 1024, 1, false, 0, 3194, COMPUTE",
    "llama3.1-70b, FP8, FLASH, CHECKPOINT, 1, 4096, 1, false, 0, 2099, COMPUTE",
    "llama3.1-405b, FP8, FLASH, CHECKPOINT, 1, 1024, 2, true, 0.62, 264.8, HOST_COPIES",
    "llama3.1-405b, FP8, FLASH, CHECKPOINT, 2, 1024, 2, true, 0.62, 504, HOST_COPIES"
  })
  void comesWithin15PercentOfWhatWasMeasured(
      String shape,
      DType base,
      AttentionLibrary attention,
      String kept,
      int rows,
      int length,
      int gpus,
      boolean split,
      double ratio,
      double measured,
      Bound binds) {
    KeptActivations activations =
        switch (kept) {
          case "KEEP" -> KeptActivations.ALL;
          case "CHECKPOINT" -> KeptActivations.INPUTS;
          default -> KeptActivations.INPUTS.first(Integer.parseInt(kept));
        };
    SpeedEstimate estimate =
        estimate(
            rank(shape, base, activations, gpus, split, ratio, attention),
            new BatchShape(rows, length),
            Nodes.of(gpus));
    System.out.printf(
        "speed, %s %s %s %s %s x %s on %s, offload %s: %.0f tokens/s, %.1f measured, ratio %.3f; %s%n",
        shape,
        base,
        attention,
        kept,
        rows,
        length,
        gpus,
        ratio,
        estimate.tokensPerSecond(),
        measured,
        estimate.tokensPerSecond() / measured,
        estimate.binds());
    assertThat(estimate.tokensPerSecond()).isCloseTo(measured, within(0.15 * measured));
    assertThat(estimate.binds()).isEqualTo(binds);
    assertThat(estimate.stepSeconds() * estimate.tokensPerSecond())
        .isCloseTo((double) rows * length * gpus, within(1e-3));
  }

  /**
   * Tokens a second of whole runs of {@link #ALPACA}; docs/plan.md says when. No rate was fitted.
   */
  @ParameterizedTest
  @CsvSource({
    "MADE, EXACT, 1, 27504",
    "KEPT, FP8_BACKWARD, 1, 28569",
    "KEPT, FP8_BACKWARD, 4, 29636",
    "KEPT, FP8, 4, 30577"
  })
  void rowsThatAreKnownCountAsTheyAre(
      Columns columns, HeadProducts head, int sequences, double measured) {
    MemoryTable.Rank start = rank("llama3.1-8b", DType.FP8, KeptActivations.ALL, 1, false, 0);
    TrainingSpec spec = start.spec();
    TrainingSpec changed =
        new TrainingSpec(
            spec.mode(),
            spec.lora(),
            new TrainingSpec.Weights(DType.FP8, Shard.NONE, 0, columns, 0),
            new TrainingSpec.Compute(
                DType.BF16, Matmul.FP8, KeptActivations.ALL, spec.compute().attention(), head),
            spec.batches(),
            spec.updates(),
            spec.seed(),
            spec.evaluation());
    MemoryTable.Rank rank = new MemoryTable.Rank(start.config(), changed, 1, 1, false);
    BatchShape batch = new BatchShape(sequences, 4096);
    double found =
        SpeedEstimate.of(plan(rank, batch, ALPACA), Nodes.of(1), H200)
            .orElseThrow()
            .tokensPerSecond();
    double longRows = estimate(rank, batch, Nodes.of(1)).tokensPerSecond();
    System.out.printf(
        "speed, 8B, columns %s, head %s, %s x 4096 of Alpaca: %.0f tokens/s, %.0f measured, ratio %.3f; %.0f as if rows were so long%n",
        columns, head, sequences, found, measured, found / measured, longRows);
    assertThat(found).isCloseTo(measured, within(0.06 * measured));
    assertThat(longRows).isLessThan(0.82 * found);
  }

  @Test
  void gathersTakeTheirTimeFromProducts() {
    BatchShape batch = new BatchShape(4, 1024);
    MemoryTable.Rank whole = rank("llama3.1-8b", DType.FP8, KeptActivations.ALL, 4, false, 0);
    MemoryTable.Rank split = rank("llama3.1-8b", DType.FP8, KeptActivations.ALL, 4, true, 0);
    SpeedEstimate few = estimate(whole, batch, Nodes.of(4));
    SpeedEstimate many = estimate(split, batch, Nodes.of(4));
    assertThat(many.gatherSeconds()).isGreaterThan(few.gatherSeconds());
    assertThat(many.stepSeconds() - few.stepSeconds())
        .isCloseTo(many.gatherSeconds() - few.gatherSeconds(), within(1e-9));
  }

  @Test
  void smallBatchesWaitForTheHost() {
    MemoryTable.Rank one = rank("llama3.1-8b", DType.FP8, KeptActivations.ALL, 1, false, 0);
    TrainingSpec three = Recipe.from(one.spec()).batch(1, 3).spec();
    SpeedEstimate estimate =
        estimate(
            new MemoryTable.Rank(one.config(), three, 1, 1, false),
            new BatchShape(1, 256),
            Nodes.of(1));
    assertThat(estimate.binds()).isEqualTo(Bound.ENQUEUE);
    // three micro-batches of 32 layers, 1.2 ms each
    assertThat(estimate.stepSeconds()).isCloseTo(3 * 32 * 1.2e-3, within(1e-6));
  }

  /** The host takes what layers keep for nothing, as long as copies hide beside the computation. */
  @Test
  void copiesOfLayersCountWhereTheyDoNotHide() {
    double kept = seconds(KeptActivations.ALL);
    assertThat(seconds(KeptActivations.ALL.onHost(40))).isEqualTo(kept);
    KeptActivations all = KeptActivations.ALL.onHost(80);
    SpeedEstimate bound = estimate(all);
    assertThat(bound.binds()).isEqualTo(Bound.HOST_COPIES);
    // out beside the forward alone, a third of the step
    long bytes =
        78 * MemoryTable.layerBytes(rank("llama3.1-70b", DType.FP8, all, 1, false, 0), LONG);
    assertThat(bound.stepSeconds()).isBetween(bytes / 53e9 + kept / 2, bytes / 53e9 + kept);
    assertThat(seconds(KeptActivations.INPUTS.first(54))).isGreaterThan(kept);
  }

  private static double seconds(KeptActivations activations) {
    SpeedEstimate estimate = estimate(activations);
    assertThat(estimate.binds()).isEqualTo(Bound.COMPUTE);
    return estimate.stepSeconds();
  }

  private static SpeedEstimate estimate(KeptActivations activations) {
    MemoryTable.Rank rank = rank("llama3.1-70b", DType.FP8, activations, 1, false, 0);
    return estimate(rank, LONG, Nodes.of(1));
  }

  @Test
  void layersFromOtherNodesWaitForTheNetwork() {
    MemoryTable.Rank one = rank("llama3.1-405b", DType.FP8, KeptActivations.INPUTS, 8, true, 0);
    MemoryTable.Rank two = new MemoryTable.Rank(one.config(), one.spec(), 16, 16, false);
    BatchShape batch = new BatchShape(1, 1024);
    SpeedEstimate usual = estimate(two, batch, Nodes.of(8));
    assertThat(usual.binds()).isEqualTo(Bound.NETWORK);
    // 400 Gbit/s, for which a quarter takes four times as long
    assertThat(estimate(two, batch, new Nodes(8, 50e9))).isEqualTo(usual);
    SpeedEstimate slow = estimate(two, batch, new Nodes(8, 12.5e9));
    assertThat(slow.stepSeconds()).isCloseTo(4 * usual.stepSeconds(), within(1e-9));
  }

  @Test
  void nodesThatShareNothingButAdaptersWaitForASlowNetworkOnly() {
    MemoryTable.Rank one = rank("llama3.1-8b", DType.FP8, KeptActivations.ALL, 4, true, 0);
    MemoryTable.Rank two = new MemoryTable.Rank(one.config(), one.spec(), 8, 4, false);
    BatchShape batch = new BatchShape(4, 1024);
    assertThat(estimate(two, batch, Nodes.of(4)).binds()).isEqualTo(Bound.COMPUTE);
    assertThat(estimate(two, batch, new Nodes(4, 1e9)).binds()).isEqualTo(Bound.NETWORK);
  }

  @Test
  void nothingIsSaidOfGpusThatNobodyMeasured() {
    assertThat(GpuKind.of(24_000_000_000L)).isEmpty();
    assertThat(GpuKind.named("NVIDIA A100-SXM4-80GB")).isEmpty();
    assertThat(GpuKind.named("NVIDIA H100 80GB HBM3")).isEqualTo(GpuKind.of(80_000_000_000L));
    assertThat(GpuKind.named("NVIDIA H200")).isEqualTo(GpuKind.of(141_000_000_000L));
    MemoryTable.Rank rank = rank("llama3.1-8b", DType.FP8, KeptActivations.ALL, 1, false, 0);
    BatchShape batch = new BatchShape(1, 1024);
    assertThat(SpeedEstimate.of(plan(rank, batch, UNKNOWN), Nodes.of(1), Optional.empty()))
        .isEmpty();
  }

  private static SpeedEstimate estimate(MemoryTable.Rank rank, BatchShape batch, Nodes nodes) {
    return SpeedEstimate.of(plan(rank, batch, UNKNOWN), nodes, H200).orElseThrow();
  }

  private static MemoryPlan plan(MemoryTable.Rank rank, BatchShape batch, RowStatistics rows) {
    MemoryPlan.Machine any = new MemoryPlan.Machine(Long.MAX_VALUE, Long.MAX_VALUE, 1);
    return new MemoryPlan(rank, batch, any, rows);
  }

  static MemoryTable.Rank rank(
      String shape,
      DType base,
      KeptActivations activations,
      int gpus,
      boolean split,
      double ratio) {
    return rank(shape, base, activations, gpus, split, ratio, AttentionLibrary.DEFAULT);
  }

  private static MemoryTable.Rank rank(
      String shape,
      DType base,
      KeptActivations activations,
      int gpus,
      boolean split,
      double ratio,
      AttentionLibrary attention) {
    TrainingSpec start = Recipe.full(1, 1e-4).spec();
    TrainingSpec spec =
        new TrainingSpec(
            TrainingSpec.Mode.LORA,
            new LoraSpec(64, 64, 0, false, List.of("all-linear")),
            new TrainingSpec.Weights(base, split ? Shard.NODE : Shard.NONE, ratio),
            new TrainingSpec.Compute(
                DType.BF16,
                base == DType.FP8 ? Matmul.FP8 : Matmul.COMPUTE,
                activations,
                attention,
                HeadProducts.EXACT),
            start.batches(),
            start.updates(),
            0,
            TrainingSpec.Evaluation.atBothEnds(0));
    return new MemoryTable.Rank(LlamaConfig.named(shape), spec, gpus, split ? gpus : 1, false);
  }
}
