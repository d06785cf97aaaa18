package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.MemoryChoice.Open;
import dev.anneal.training.trainer.MemoryPlan.Machine;
import dev.anneal.training.trainer.SpeedEstimate.GpuKind;
import dev.anneal.training.trainer.SpeedEstimate.Nodes;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class MemoryChoiceTest {
  private static final long GB = 1_000_000_000;
  private static final Optional<GpuKind> H200 = GpuKind.named("NVIDIA H200");

  @Test
  void whereEverythingFitsNothingIsMovedOrComputedAgain() {
    MemoryPlan plan = plan("llama3.1-8b", 1, 4, new Machine(141 * GB, 500 * GB, 1));
    assertThat(choice(plan, Open.OFFLOAD_RATIO, Open.RECOMPUTED_LAYERS))
        .isEqualTo(new MemoryChoice(0, 0, 0));
  }

  @Test
  void asFewLayersAreComputedAgainAsMemoryAllows() {
    MemoryPlan plan = plan("llama3.1-70b", 1, 4, new Machine(141 * GB, 500 * GB, 1));
    MemoryChoice choice = choice(plan, Open.RECOMPUTED_LAYERS);
    int layers = choice.recomputedLayers();
    assertThat(layers).isBetween(1, 79);
    assertThat(choice.offloadRatio()).isZero();
    assertThat(choice.in(plan).fits()).isTrue();
    assertThat(new MemoryChoice(0, layers - 1, 0).in(plan).fits()).isFalse();
  }

  @Test
  void theRatioIsTheSmallestWithAllLayersComputedAgain() {
    MemoryPlan plan = plan("llama3.1-405b", 8, 4, new Machine(80 * GB, 2000 * GB, 8));
    MemoryChoice choice = choice(plan, Open.OFFLOAD_RATIO, Open.RECOMPUTED_LAYERS);
    assertThat(choice.offloadRatio()).isBetween(0.01, 0.99);
    assertThat(choice.in(plan).fits()).isTrue();
    assertThat(new MemoryChoice(choice.offloadRatio() - 0.01, Integer.MAX_VALUE, 0).in(plan).fits())
        .isFalse();
    MemoryPlan kept = plan.with(KeptActivations.INPUTS.first(120));
    MemoryChoice ratio = choice(kept, Open.OFFLOAD_RATIO);
    assertThat(ratio.recomputedLayers()).isEqualTo(120);
    assertThat(ratio.offloadRatio()).isGreaterThan(choice.offloadRatio());
  }

  @Test
  void whereNothingFitsTheHostIsFilled() {
    // a tenth of 402 GB goes there, and more is not to be had
    MemoryPlan plan = plan("llama3.1-405b", 1, 1, new Machine(100 * GB, 80 * GB, 1));
    MemoryChoice choice = choice(plan, Open.OFFLOAD_RATIO, Open.RECOMPUTED_LAYERS);
    assertThat(choice.recomputedLayers()).isEqualTo(Integer.MAX_VALUE);
    assertThat(choice.offloadRatio()).isBetween(0.1, 0.2);
    MemoryPlan more = new MemoryChoice(choice.offloadRatio() + 0.01, 126, 0).in(plan);
    assertThat(more.table().hostBytes()).isGreaterThan(80 * GB);
  }

  @Test
  void manyShortRowsLeaveLessRoom() {
    MemoryPlan long0 = plan("llama3.1-70b", 1, 4, new Machine(141 * GB, 500 * GB, 1));
    RowStatistics rows = new RowStatistics(new TreeMap<>(Map.of(8, 100_000L)), 0, true, 1000, 0, 0);
    MemoryPlan short0 = new MemoryPlan(long0.rank(), long0.batch(), long0.machine(), rows);
    // rows of 5 tokens or more; 128 times (8,192 + 64) fp32 numbers each, beside the tokens', are
    // more than the scores of four rows
    long rowCount = 4L * 1024 / 5;
    long flash = (4L * 1024 + rowCount * 128) * (8192 + 64) * 4;
    long scores = 4L * 64 * 1024 * 1024 * 2 + (64 << 10);
    assertThat(short0.table().deviceBytes() - long0.table().deviceBytes())
        .isEqualTo(flash - scores);
    assertThat(short0.table().tensorBytes()).isEqualTo(long0.table().tensorBytes());
    assertThat(choice(short0, Open.RECOMPUTED_LAYERS).recomputedLayers())
        .isGreaterThan(choice(long0, Open.RECOMPUTED_LAYERS).recomputedLayers());
  }

  private static MemoryChoice choice(MemoryPlan plan, Open... open) {
    return MemoryChoice.of(plan, Set.of(open), Nodes.of(plan.machine().gpus()), H200);
  }

  private static MemoryPlan plan(String shape, int gpus, int rows, Machine machine) {
    MemoryTable.Rank rank =
        SpeedEstimateTest.rank(shape, DType.FP8, KeptActivations.INPUTS, gpus, gpus > 1, 0);
    return new MemoryPlan(rank, new BatchShape(rows, 1024), machine, RowStatistics.unpacked());
  }
}
