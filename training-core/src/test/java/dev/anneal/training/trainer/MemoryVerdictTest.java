package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.MemoryPlan.Machine;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class MemoryVerdictTest {
  private static final long GB = 1_000_000_000;
  private static final long H200 = 150 * GB;

  /** What the host of the two H200s had: 251 GiB. */
  private static final long HOST = 251L << 30;

  @Test
  void whatEndedByTheKernelsHandIsRefused() {
    MemoryVerdict verdict = largest(3, KeptActivations.INPUTS_ON_HOST, HOST);
    // 2 x 126 inputs of 3,072 x 16,384 x 2 = 100.7 MB, each in 128 MiB
    long inputs = 2L * 126 * (128 << 20);
    assertThat(inputs).isEqualTo(33_822_867_456L);
    assertThat(verdict.refusal().orElseThrow())
        .startsWith("The run needs at least 28")
        .contains(
            "of a host's memory, page-locked for its 2 GPUs (frozen layers 2",
            "inputs of layers computed again 33.8 GB), and 269.5 GB are free: set ")
        .endsWith(".");
  }

  /** 40 x 112 blocks of 64 MiB of 3,072 tokens, twice, beside what is offloaded of the weights. */
  @Test
  void layersThatTheHostHasNoRoomForAreRefused() {
    MemoryVerdict verdict = largest(3, KeptActivations.INPUTS.onHost(42), HOST);
    assertThat(verdict.refusal().orElseThrow())
        .contains("layers that wait on the host ", "and 269.5 GB are free: set ")
        .containsPattern("activations\\.host_layers=\\d+");
  }

  @Test
  void whatRanIsNotRefused() {
    // 237 to 241 GiB of 251 were in use
    assertThat(largest(2, KeptActivations.INPUTS, HOST).refusal()).isEmpty();
    assertThat(largest(1, KeptActivations.INPUTS, HOST).refusal()).isEmpty();
  }

  @Test
  void anUnknownHostIsNotJudged() {
    MemoryVerdict verdict = largest(3, KeptActivations.INPUTS_ON_HOST, Long.MAX_VALUE);
    assertThat(verdict.refusal()).isEmpty();
    assertThat(verdict.warning()).isEmpty();
  }

  @Test
  void weightsThatAreLargerThanAGpuAreRefused() {
    MemoryVerdict verdict = of("llama3.1-70b", DType.BF16, 80 * GB, packed(1000));
    assertThat(verdict.refusal().orElseThrow())
        .matches(
            "The run needs at least 1\\d\\d\\.\\d GB of a GPU that has 80\\.0 GB: set base_weights\\.\\S+( and .*)?\\.");
  }

  @Test
  void whatMayFitIsWarnedOf() {
    MemoryPlan plan =
        plan("llama3.1-8b", DType.FP8, KeptActivations.ALL, new Machine(25 * GB, HOST, 1), 4, 1, 0);
    // 27.55 GB by the table where every sequence is full, and less where rows are few
    MemoryPlan few =
        new MemoryPlan(plan.rank(), plan.batch(), plan.machine(), RowStatistics.unpacked());
    MemoryVerdict verdict = new MemoryVerdict(few, 25 * GB, HOST);
    assertThat(verdict.refusal()).isEmpty();
    assertThat(verdict.warning().orElseThrow())
        .startsWith("The run may take up to ")
        .contains("of a GPU, and 25.0 GB are free: if it fails for want of memory, set ");
    MemoryPlan full = new MemoryPlan(plan.rank(), plan.batch(), plan.machine(), packed(1024));
    assertThat(new MemoryVerdict(full, 20 * GB, HOST).refusal()).isPresent();
  }

  @Test
  void onlyOneRankCopiesTheAdapterToo() {
    MemoryTable.Rank one =
        SpeedEstimateTest.rank("llama3.1-8b", DType.FP8, KeptActivations.ALL, 2, false, 0);
    MemoryTable.Rank rank = new MemoryTable.Rank(one.config(), one.spec(), 2, 1, true);
    long adapters = 167_772_160;
    // 12 bytes a weight cut in two, and 2 bytes of each on rank 0; pieces are a 32nd more at most
    long bytes = 12 * adapters + 2 * adapters;
    assertThat(HostNeed.pinned(rank, new BatchShape(1, 8), 2).total())
        .isBetween(bytes, bytes * 33 / 32);
  }

  /** Four bytes of every adapter weight, and not as many times as there are ranks. */
  @Test
  void onlyOneRankHoldsWhatPissaBeganWith() {
    MemoryTable.Rank plain =
        SpeedEstimateTest.rank("llama3.1-8b", DType.FP8, KeptActivations.ALL, 2, false, 0);
    TrainingSpec spec = plain.spec();
    TrainingSpec begun = Recipe.from(spec).lora(spec.lora().as(new LoraVariant.Pissa(0))).spec();
    MemoryTable.Rank pissa = new MemoryTable.Rank(plain.config(), begun, 2, 1, false);
    BatchShape batch = new BatchShape(1, 8);
    HostNeed need = HostNeed.pinned(pissa, batch, 2);
    long factors = 4 * 167_772_160L;
    assertThat(need.total() - HostNeed.pinned(plain, batch, 2).total()).isEqualTo(factors);
    assertThat(need.bytes()).containsEntry("first factors of PiSSA", factors);
    assertThat(HostNeed.onCpu(pissa, 4).total() - HostNeed.onCpu(plain, 4).total())
        .isEqualTo(factors);
  }

  @Test
  void aCpuRunHoldsEverythingInTheHost() {
    MemoryTable.Rank rank =
        SpeedEstimateTest.rank("llama3.1-8b", DType.FP32, KeptActivations.INPUTS, 2, false, 0);
    // two times 4 bytes of 6.98 billion weights in layers
    assertThat(MemoryVerdict.refusalOnCpu(rank, 2, 50 * GB).orElseThrow())
        .contains("of a host's memory for its 2 ranks (frozen layers 55.8 GB, ", "50.0 GB are free")
        .endsWith(": set base_weights.dtype=bf16.");
    assertThat(MemoryVerdict.refusalOnCpu(rank, 2, 1 << 20).orElseThrow())
        .endsWith(" and 1.0 MB are free: take hosts with more memory, or a smaller model.");
    assertThat(MemoryVerdict.refusalOnCpu(rank, 2, 100 * GB)).isEmpty();
  }

  private static MemoryVerdict largest(int rows, KeptActivations activations, long hostFree) {
    Machine machine = new Machine(H200, hostFree, 2);
    MemoryPlan plan = plan("llama3.1-405b", DType.FP8, activations, machine, rows, 2, 0.62);
    return new MemoryVerdict(plan, H200, hostFree);
  }

  private static MemoryVerdict of(String shape, DType base, long gpu, RowStatistics rows) {
    MemoryPlan plan =
        plan(shape, base, KeptActivations.INPUTS, new Machine(gpu, Long.MAX_VALUE, 1), 1, 1, 0);
    return new MemoryVerdict(
        new MemoryPlan(plan.rank(), plan.batch(), plan.machine(), rows), gpu, Long.MAX_VALUE);
  }

  private static MemoryPlan plan(
      String shape,
      DType base,
      KeptActivations activations,
      Machine machine,
      int rows,
      int gpus,
      double ratio) {
    MemoryTable.Rank rank = SpeedEstimateTest.rank(shape, base, activations, gpus, gpus > 1, ratio);
    return new MemoryPlan(rank, new BatchShape(rows, 1024), machine, packed(1024));
  }

  private static RowStatistics packed(double tokens) {
    return new RowStatistics(new TreeMap<>(Map.of(128, 1_000_000L)), 0, true, tokens, 0, 0);
  }
}
