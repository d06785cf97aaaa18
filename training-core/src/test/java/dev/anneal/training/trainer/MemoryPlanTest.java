package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.fused.FusedLlama.Columns;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.MemoryPlan.Machine;
import dev.anneal.training.trainer.SpeedEstimate.Nodes;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class MemoryPlanTest {
  private static final long GB = 1_000_000_000;
  private static final Machine H200 = new Machine(141 * GB, 2000 * GB, 1);

  @Test
  void whatFitsNeedsNothing() {
    MemoryPlan plan = plan("llama3.1-8b", DType.FP8, KeptActivations.ALL, 4, H200);
    assertThat(plan.fits()).isTrue();
    assertThat(plan.smallestOffloadRatio()).hasValue(0);
    assertThat(plan.largestMicroBatch()).isGreaterThan(4);
    assertThat(plan.longestSequence()).isGreaterThan(4096);
  }

  @Test
  void theLargestBatchAndSequenceAreTheLast() {
    MemoryPlan plan = plan("llama3.1-8b", DType.BF16, KeptActivations.ALL, 4, H200);
    long rows = plan.largestMicroBatch();
    assertThat(fits(plan, new BatchShape(rows, 1024))).isTrue();
    assertThat(fits(plan, new BatchShape(rows + 1, 1024))).isFalse();
    long length = plan.longestSequence();
    assertThat(fits(plan, new BatchShape(1, length))).isTrue();
    assertThat(fits(plan, new BatchShape(1, length + 1))).isFalse();
  }

  @Test
  void theSmallestRatioIsTheFirst() {
    MemoryPlan plan =
        plan(
            "llama3.1-70b",
            DType.FP8,
            KeptActivations.INPUTS,
            1,
            new Machine(60 * GB, 500 * GB, 1));
    assertThat(plan.fits()).isFalse();
    double ratio = plan.smallestOffloadRatio().orElseThrow();
    assertThat(ratio).isBetween(0.1, 0.5);
    assertThat(fits(plan, ratio)).isTrue();
    assertThat(fits(plan, ratio - 0.01)).isFalse();
    assertThat(plan.remedy())
        .hasValue(String.format(Locale.ROOT, "base_weights.offload_ratio=%.2f", ratio));
  }

  @Test
  void oneSettingIsNamedWhereOneIsEnough() {
    MemoryPlan kept = plan("llama3.1-8b", DType.BF16, KeptActivations.ALL, 8, at(40));
    assertThat(kept.remedy()).hasValue("activations.checkpoint=layer");
    MemoryPlan stored = plan("llama3.1-70b", DType.BF16, KeptActivations.INPUTS, 1, H200);
    assertThat(stored.remedy()).hasValue("base_weights.dtype=fp8");
  }

  @Test
  void severalSettingsAreNamedWhereOneIsNotEnough() {
    MemoryPlan plan = plan("llama3.1-8b", DType.BF16, KeptActivations.ALL, 8, at(12));
    assertThat(plan.remedy())
        .hasValueSatisfying(
            settings ->
                assertThat(settings)
                    .startsWith("activations.checkpoint=layer and base_weights.offload_ratio=0."));
  }

  @Test
  void nothingIsNamedWhereNothingHelps() {
    MemoryPlan plan =
        plan("llama3.1-405b", DType.BF16, KeptActivations.ALL, 8, new Machine(8 * GB, 64 * GB, 1));
    assertThat(plan.remedy()).isEmpty();
    assertThat(plan.smallestOffloadRatio()).isEmpty();
    assertThat(plan.largestMicroBatch()).isZero();
    assertThat(plan.longestSequence()).isZero();
  }

  @Test
  void aSmallHostIsNoPlaceForWeights() {
    MemoryPlan plan =
        plan(
            "llama3.1-70b", DType.FP8, KeptActivations.INPUTS, 1, new Machine(60 * GB, 16 * GB, 1));
    assertThat(plan.smallestOffloadRatio()).isEmpty();
  }

  @Test
  void whatIsOnTheHostComesBackWhereTheHostIsFull() {
    Machine machine = new Machine(141 * GB, 80 * GB, 1);
    MemoryPlan plan = plan("llama3.1-70b", DType.FP8, KeptActivations.INPUTS_ON_HOST, 64, machine);
    MemoryPlan moved =
        new MemoryPlan(
            plan.rank().withOffloadRatio(0.9),
            plan.batch(),
            plan.machine(),
            RowStatistics.unpacked());
    // 0.9 of 68 GB and 80 inputs of 64 x 1,024 x 8,192 x 2 = 1 GiB do not go together
    assertThat(moved.fits()).isFalse();
    assertThat(moved.remedy()).isPresent();
    MemoryPlan none =
        new MemoryPlan(
            moved.rank(),
            moved.batch(),
            new Machine(10 * GB, 20 * GB, 1),
            RowStatistics.unpacked());
    assertThat(none.remedy()).isEmpty();
  }

  /** What a user has set stays in what is looked at: columns are twice the weights. */
  @Test
  void columnsThatAreKeptStayUntilTheyAreNamed() {
    MemoryPlan kept = both(plan("llama3.1-8b", DType.FP8, KeptActivations.INPUTS, 4, at(18)));
    MemoryPlan made = plan("llama3.1-8b", DType.FP8, KeptActivations.INPUTS, 4, at(18));
    assertThat(kept.table().deviceBytes() - made.table().deviceBytes()).isGreaterThan(6 * GB);
    assertThat(kept.fits()).isFalse();
    assertThat(kept.smallestOffloadRatio()).isEmpty();
    assertThat(kept.remedy()).hasValue("base_weights.both_layouts=false");
    // the run refuses both together
    MemoryPlan less = both(plan("llama3.1-8b", DType.FP8, KeptActivations.INPUTS, 1, at(10)));
    assertThat(less.remedy().orElseThrow())
        .startsWith("base_weights.both_layouts=false and base_weights.offload_ratio=0.");
    // in FP8 they would still be there twice, which 18 GB have no room for
    MemoryPlan stored = both(plan("llama3.1-8b", DType.BF16, KeptActivations.INPUTS, 4, at(18)));
    assertThat(stored.remedy().orElseThrow())
        .contains("base_weights.both_layouts=false", "base_weights.dtype=fp8");
  }

  /** Each layer at an end takes a byte a weight more. */
  @Test
  void exactEdgesStayUntilTheyAreNamed() {
    MemoryPlan plan = plan("llama3.1-8b", DType.FP8, KeptActivations.INPUTS, 4, at(16));
    MemoryPlan edged = fp8(plan, plan.rank().spec().weights().withExactEdges(8));
    long layer = 218_103_808;
    assertThat(
            edged.table().deviceBytes()
                - fp8(plan, plan.rank().spec().weights()).table().deviceBytes())
        .isBetween(16 * layer - GB / 100, 16 * layer);
    assertThat(edged.fits()).isFalse();
    assertThat(edged.smallestOffloadRatio()).isEmpty();
    assertThat(edged.remedy()).hasValue("base_weights.exact_edges=0");
  }

  /** FP8 products, with the weights' columns kept. */
  private static MemoryPlan both(MemoryPlan plan) {
    return fp8(plan, plan.rank().spec().weights().with(Columns.KEPT));
  }

  /** FP8 products with other weights. */
  private static MemoryPlan fp8(MemoryPlan plan, TrainingSpec.Weights weights) {
    TrainingSpec spec = plan.rank().spec();
    TrainingSpec changed =
        new TrainingSpec(
            spec.mode(),
            spec.lora(),
            weights,
            new TrainingSpec.Compute(DType.BF16, Matmul.FP8, spec.compute().activations()),
            spec.batches(),
            spec.updates(),
            spec.seed(),
            spec.evaluation());
    MemoryTable.Rank rank = new MemoryTable.Rank(plan.rank().config(), changed, 1, 1, false);
    return plan.with(rank);
  }

  /** What the host has no room for, the GPU has; then it is lowered to what fits. */
  @Test
  void fewerLayersWaitOnTheHostWhereItIsFull() {
    Machine machine = new Machine(141 * GB, 16 * GB, 1);
    KeptActivations activations = KeptActivations.ALL.onHost(30);
    MemoryPlan plan = plan("llama3.1-8b", DType.FP8, activations, 8, machine);
    assertThat(plan.fits()).isFalse();
    String remedy = plan.remedy().orElseThrow();
    assertThat(remedy).matches("activations\\.host_layers=\\d+");
    int fewer = Integer.parseInt(remedy.substring(remedy.indexOf('=') + 1));
    assertThat(plan.with(activations.onHost(fewer)).fits()).isTrue();
    assertThat(plan.with(activations.onHost(fewer + 1)).fits()).isFalse();
  }

  @Test
  void theOthersAreComputedAgainWhereTheGpuIsFull() {
    KeptActivations activations = KeptActivations.ALL.onHost(16);
    long needed = plan("llama3.1-8b", DType.FP8, activations, 4, at(141)).table().deviceBytes();
    Machine machine = new Machine(needed - GB, Long.MAX_VALUE, 1);
    MemoryPlan plan = plan("llama3.1-8b", DType.FP8, activations, 4, machine);
    assertThat(plan.fits()).isFalse();
    assertThat(plan.remedy()).hasValue("activations.checkpoint=layer");
    MemoryChoice choice =
        MemoryChoice.of(
            plan, Set.of(MemoryChoice.Open.RECOMPUTED_LAYERS), Nodes.of(1), Optional.empty());
    assertThat(choice.recomputedLayers()).isBetween(1, 15);
    assertThat(choice.hostLayers()).isEqualTo(16);
  }

  private static Machine at(long gigabytes) {
    return new Machine(gigabytes * GB, Long.MAX_VALUE, 1);
  }

  private static boolean fits(MemoryPlan plan, BatchShape batch) {
    return new MemoryPlan(plan.rank(), batch, plan.machine(), RowStatistics.unpacked()).fits();
  }

  private static boolean fits(MemoryPlan plan, double ratio) {
    return new MemoryPlan(
            plan.rank().withOffloadRatio(ratio),
            plan.batch(),
            plan.machine(),
            RowStatistics.unpacked())
        .fits();
  }

  private static MemoryPlan plan(
      String shape, DType base, KeptActivations activations, int rows, Machine machine) {
    TrainingSpec start = Recipe.full(1, 1e-4).spec();
    TrainingSpec spec =
        new TrainingSpec(
            TrainingSpec.Mode.LORA,
            new LoraSpec(16, 16, 0, false, List.of("all-linear")),
            new TrainingSpec.Weights(base, Shard.NONE, 0),
            new TrainingSpec.Compute(DType.BF16, Matmul.COMPUTE, activations),
            start.batches(),
            start.updates(),
            0,
            TrainingSpec.Evaluation.atBothEnds(0));
    LlamaConfig config = LlamaConfig.named(shape);
    MemoryTable.Rank rank = new MemoryTable.Rank(config, spec, 1, 1, false);
    return new MemoryPlan(rank, new BatchShape(rows, 1024), machine, RowStatistics.unpacked());
  }
}
