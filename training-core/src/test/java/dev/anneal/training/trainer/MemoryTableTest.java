package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.training.Property;
import dev.anneal.training.TinyModels;
import dev.anneal.training.TinyModels.Embeddings;
import dev.anneal.training.fused.AttentionLibrary;
import dev.anneal.training.fused.FusedLlama.Columns;
import dev.anneal.training.fused.HeadProducts;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.MemoryTable.Part;
import dev.anneal.training.trainer.MemoryTable.Row;
import dev.anneal.training.weights.FrozenLayers.Shard;
import dev.anneal.training.weights.FrozenVocabulary;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MemoryTableTest {
  private static final LlamaConfig LARGE = LlamaConfig.named("llama3.1-8b");
  private static final long WEIGHTS_IN_LAYERS = 6_979_321_856L;

  /** 64 times the sum of in and out of the seven modules, in 32 layers. */
  private static final long ADAPTER_WEIGHTS = 167_772_160L;

  /**
   * What 8B's shape held at most on an H200 on 2026-11-23, with cuDNN's attention on 2026-11-30, in
   * GB: docs/performance.md. The table does not know what the allocator rounds. Layers kept what
   * both norms give as well then, which is taken off: all of them, or the one at work.
   */
  @ParameterizedTest
  @CsvSource({
    "BF16, FLASH, KEEP, 4, 0, 34.4",
    "FP8, FLASH, KEEP, 4, 0, 27.6",
    "FP8, FLASH, CHECKPOINT, 4, 0, 14.4",
    "FP8, FLASH, CHECKPOINT, 8, 0, 16.4",
    "FP8, FLASH, CHECKPOINT, 8, 0.5, 13.4",
    "FP8, FLASH, CHECKPOINT, 8, 1, 9.9",
    "BF16, CUDNN, KEEP, 4, 0, 34.42",
    "FP8, CUDNN, KEEP, 4, 0, 27.69",
    "FP8, CUDNN, CHECKPOINT, 4, 0, 14.56"
  })
  void comesNearWhatWasMeasured(
      DType base,
      AttentionLibrary attention,
      String kept,
      int rows,
      double offloadRatio,
      double measured) {
    KeptActivations activations =
        kept.equals("KEEP") ? KeptActivations.ALL : KeptActivations.INPUTS;
    MemoryTable table =
        MemoryTable.of(
            rank(base, activations, offloadRatio, attention), new BatchShape(rows, 1024));
    System.out.printf(
        "memory, %s %s %s %s x 1,024, offload %s: %.2f GB by the table, %.2f measured%n",
        base, attention, kept, rows, offloadRatio, table.tensorBytes() / 1e9, measured);
    int keeping = kept.equals("KEEP") ? 32 : 1;
    double less = keeping * normsBytes(rows) / 1e9;
    assertThat(table.tensorBytes() / 1e9).isCloseTo(measured - less, within(0.01 * measured));
  }

  /** What a layer's two norms give of rows of 1,024 tokens, in bf16. */
  private static long normsBytes(int rows) {
    return 2L * rows * 1024 * 4096 * 2;
  }

  /**
   * Likewise of each of two GPUs that weights are split over, to a tenth of a GB. Ranks had the
   * whole gradient then, in fp32; now they have that of two layers of 32. So it is with adapters to
   * compute with, in bf16, where these do not stay together. Each held embedding and head whole as
   * well; now it holds a half of both, and one of them whole at the head, which is when it holds
   * the most: as much. All layers kept what their norms give.
   */
  @ParameterizedTest
  @CsvSource({"small, 4", "never, 6"})
  void comesNearWhatTwoGpusHeld(String together, int lessBytes) {
    try (Property property = Property.set(AdapterGathering.PROPERTY, together)) {
      MemoryTable table =
          MemoryTable.of(split(DType.FP8, KeptActivations.ALL, 2), new BatchShape(4, 1024));
      assertThat(table.moment()).isEqualTo("head");
      long less = lessBytes * (ADAPTER_WEIGHTS - 2 * ADAPTER_WEIGHTS / 32) + 32 * normsBytes(4);
      assertThat(table.tensorBytes() / 1e9).isCloseTo(24.0 - less / 1e9, within(0.1));
    }
  }

  /** DoRA computes with fp32, in libtorch's layers; PiSSA keeps what it began with on the host. */
  @Test
  void variantsTakeWhatTheyCompute() {
    MemoryTable plain = MemoryTable.of(as(LoraVariant.PLAIN), new BatchShape(4, 1024));
    MemoryTable dora = MemoryTable.of(as(LoraVariant.DORA), new BatchShape(4, 1024));
    MemoryTable pissa = MemoryTable.of(as(new LoraVariant.Pissa(0)), new BatchShape(4, 1024));
    // a length for every row of the seven modules
    long lengths = 32L * (4096 + 2 * 1024 + 4096 + 2 * 14_336 + 4096);
    assertThat(device(plain, "adapters in fp32")).isEqualTo(4 * ADAPTER_WEIGHTS);
    assertThat(device(dora, "adapters in fp32")).isEqualTo(4 * (ADAPTER_WEIGHTS + lengths));
    assertThat(dora.tensorBytes()).isGreaterThan(plain.tensorBytes());
    assertThat(dora.tensors()).noneMatch(row -> row.name().equals("transpose of a weight"));
    assertThat(pissa.tensorBytes()).isEqualTo(plain.tensorBytes());
    // of all ranks it is one that holds them: PissaStart gives them to rank 0
    assertThat(pissa.hostBytes() - plain.hostBytes()).isEqualTo(4 * ADAPTER_WEIGHTS);
    assertThat(pissa.hostBytes(8) - plain.hostBytes(8)).isEqualTo(4 * ADAPTER_WEIGHTS);
  }

  private static MemoryTable.Rank as(LoraVariant variant) {
    MemoryTable.Rank plain = rank(DType.FP8, KeptActivations.INPUTS, 0);
    TrainingSpec spec = plain.spec();
    return new MemoryTable.Rank(
        plain.config(),
        Recipe.from(spec).lora(spec.lora().as(variant)).spec(),
        1,
        1,
        plain.checkpoints());
  }

  /** As ranks with all weights, or on several nodes, who split them within each. */
  @ParameterizedTest
  @CsvSource({"2, 1", "4, 2"})
  void adaptersAreOnEveryRankWhereWeightsAreNotSplitOverAll(int worldSize, int shardSize) {
    TrainingSpec spec = rank(DType.FP8, KeptActivations.ALL, 0).spec();
    MemoryTable table =
        MemoryTable.of(
            new MemoryTable.Rank(LARGE, spec, worldSize, shardSize, false),
            new BatchShape(4, 1024));
    long own = ADAPTER_WEIGHTS / worldSize;
    assertThat(device(table, "adapters to compute with")).isEqualTo(2 * (ADAPTER_WEIGHTS + own));
    assertThat(device(table, "gradient")).isEqualTo(4 * own);
    assertThat(device(table, "gradients being summed")).isEqualTo(4 * 2 * ADAPTER_WEIGHTS / 32);
    assertThat(device(table, "other ranks' gradients being added"))
        .isEqualTo(4L * (worldSize - 1) * (ADAPTER_WEIGHTS / 32 / worldSize));
  }

  /** A rank's part, and all of them if they are small, else two layers. */
  @ParameterizedTest
  @CsvSource({
    "llama3.1-8b, small, 167772160, 167772160",
    "llama3.1-8b, never, 167772160, 10485760",
    "llama3.1-405b, small, 2493775872, 39583744",
    "llama3.1-405b, always, 2493775872, 2493775872"
  })
  void largeAdaptersComeLayerByLayerWhereWeightsAreSplitOverAllRanks(
      String shape, String together, long weights, long besideOwn) {
    TrainingSpec spec = rank(DType.FP8, KeptActivations.ALL, 0).spec();
    try (Property property = Property.set(AdapterGathering.PROPERTY, together)) {
      MemoryTable table =
          MemoryTable.of(
              new MemoryTable.Rank(LlamaConfig.named(shape), spec, 8, 8, false),
              new BatchShape(4, 1024));
      assertThat(device(table, "adapters to compute with"))
          .isEqualTo(2 * (weights / 8 + besideOwn));
    }
  }

  /**
   * At 70B the head is there when the last layer goes forward, which then is when most is held; at
   * 405B it is too large to come early.
   */
  @Test
  void aSmallHeadIsThereBesideTheLastLayer() {
    BatchShape batch = new BatchShape(4, 1024);
    long head = 128_256L * 8192 * 2;
    MemoryTable late;
    try (Property property = Property.set(FrozenVocabulary.HEAD_PROPERTY, "never")) {
      late = MemoryTable.of(split("llama3.1-70b"), batch);
    }
    MemoryTable early = MemoryTable.of(split("llama3.1-70b"), batch);
    System.out.printf(
        "70B split over 8: %.2f GB (%s), the head early %.2f (%s)%n",
        late.tensorBytes() / 1e9, late.moment(), early.tensorBytes() / 1e9, early.moment());
    assertThat(early.moment()).isEqualTo("forward of the last layer");
    assertThat(early.tensorBytes()).isBetween(late.tensorBytes() + 1, late.tensorBytes() + head);
    MemoryTable large = MemoryTable.of(split("llama3.1-405b"), batch);
    try (Property property = Property.set(FrozenVocabulary.HEAD_PROPERTY, "never")) {
      assertThat(large).isEqualTo(MemoryTable.of(split("llama3.1-405b"), batch));
    }
  }

  private static MemoryTable.Rank split(String shape) {
    TrainingSpec spec = rank(DType.FP8, KeptActivations.INPUTS, 0).spec();
    return new MemoryTable.Rank(LlamaConfig.named(shape), spec, 8, 8, false);
  }

  /** Of 128,256 rows seven ranks hold 18,323 each: five more than there are. */
  @ParameterizedTest
  @CsvSource({"1, 128256", "2, 64128", "7, 18323", "8, 16032"})
  void aRankHoldsItsRowsOfEmbeddingAndHead(int ranks, long rows) {
    MemoryTable table =
        MemoryTable.of(split(DType.FP8, KeptActivations.INPUTS, ranks), new BatchShape(1, 1024));
    assertThat(device(table, "embedding")).isEqualTo(rows * 4096 * 2);
    assertThat(device(table, "head")).isEqualTo(rows * 4096 * 2);
  }

  @Test
  void aTiedHeadTakesNothing() {
    LlamaConfig tied = TinyModels.config(Embeddings.TIED);
    TrainingSpec spec = split(DType.FP8, KeptActivations.INPUTS, 2).spec();
    MemoryTable table =
        MemoryTable.of(new MemoryTable.Rank(tied, spec, 2, 2, false), new BatchShape(1, 8));
    assertThat(device(table, Part.VOCABULARY)).isEqualTo(19 * 24 * 2);
  }

  /** Row by row of {@code FusedHead}, with all ranks' rows of the head, padding among them. */
  @ParameterizedTest
  @CsvSource({"2, 128256", "7, 128261"})
  void theHeadIsWholeWhileItIsAtWork(int ranks, long gatheredRows) {
    MemoryTable table =
        MemoryTable.of(split(DType.FP8, KeptActivations.INPUTS, ranks), new BatchShape(1, 1024));
    assertThat(table.moment()).isEqualTo("head");
    long hidden = 1024L * 4096 * 2;
    long predicting = 1023L * 4096 * 2;
    // x, its norm and rstd; logits, losses in fp32 and fp64
    long head = 2 * predicting + 1023 * 4 + 1023L * (128_256 * 2 + 4 + 8);
    assertThat(device(table, "workspace: head")).isEqualTo(hidden + head + gatheredRows * 4096 * 2);
    assertThat(device(table, "inputs of layers computed again")).isEqualTo(32 * hidden);
  }

  @Test
  void lastingRowsAreWhatTheShapeSays() {
    MemoryTable table =
        MemoryTable.of(rank(DType.BF16, KeptActivations.ALL, 0), new BatchShape(1, 8));
    assertThat(device(table, Part.FROZEN)).isEqualTo(2 * WEIGHTS_IN_LAYERS + 32 * 2 * 4096 * 2);
    assertThat(device(table, Part.VOCABULARY)).isEqualTo(2L * 128_256 * 4096 * 2);
    // 4 bytes of fp32, 4 of gradient, 8 of moments, 2 to compute with
    assertThat(device(table, Part.TRAINED)).isEqualTo(18 * ADAPTER_WEIGHTS);
    assertThat(table.tensors()).noneMatch(row -> row.name().contains("transpose"));
  }

  @Test
  void whatLeavesTheGpuIsOnTheHost() {
    BatchShape batch = new BatchShape(1, 1024);
    MemoryTable here = MemoryTable.of(rank(DType.FP8, KeptActivations.INPUTS, 0), batch);
    MemoryTable half = MemoryTable.of(rank(DType.FP8, KeptActivations.INPUTS, 0.5), batch);
    long moved = half.hostBytes() - here.hostBytes();
    assertThat(moved).isEqualTo(WEIGHTS_IN_LAYERS / 2);
    long buffers = device(half, Part.FROZEN) - (device(here, Part.FROZEN) - WEIGHTS_IN_LAYERS / 2);
    assertThat(buffers).isCloseTo(2 * WEIGHTS_IN_LAYERS / 32, within(1L << 20));

    MemoryTable inputs = MemoryTable.of(rank(DType.FP8, KeptActivations.INPUTS_ON_HOST, 0), batch);
    long input = 1024L * 4096 * 2;
    assertThat(inputs.hostBytes() - here.hostBytes()).isEqualTo(32 * input);
    assertThat(here.tensorBytes() - inputs.tensorBytes()).isEqualTo(30 * input);
  }

  @Test
  void layersThatWaitOnTheHostTakeTwoPlacesOnTheGpu() {
    BatchShape batch = new BatchShape(4, 1024);
    MemoryTable here = MemoryTable.of(rank(DType.FP8, KeptActivations.ALL, 0), batch);
    MemoryTable there = MemoryTable.of(rank(DType.FP8, KeptActivations.ALL.onHost(12), 0), batch);
    long layer = device(here, "kept of the other layers") / 32;
    assertThat(device(there, "kept of the other layers")).isEqualTo(20 * layer);
    assertThat(device(there, "layers that wait on the host")).isEqualTo(2 * layer);
    assertThat(here.tensorBytes() - there.tensorBytes()).isEqualTo(10 * layer);
    // 392 MB each in six blocks of 64 MiB
    assertThat(there.hostBytes() - here.hostBytes()).isEqualTo(10 * 6 * (64L << 20));
  }

  @Test
  void aSnapshotIsOfWhatRankZeroWrites() {
    TrainingSpec spec = rank(DType.FP8, KeptActivations.ALL, 0).spec();
    MemoryTable none =
        MemoryTable.of(new MemoryTable.Rank(LARGE, spec, 1, 1, false), new BatchShape(1, 8));
    MemoryTable taken =
        MemoryTable.of(new MemoryTable.Rank(LARGE, spec, 1, 1, true), new BatchShape(1, 8));
    assertThat(taken.hostBytes() - none.hostBytes()).isEqualTo(14 * ADAPTER_WEIGHTS);
    // 12 bytes of its own on every rank, and 2 of each adapter weight on rank 0
    assertThat(taken.hostBytes(8) - none.hostBytes(8)).isEqualTo((8 * 12 + 2) * ADAPTER_WEIGHTS);
    assertThat(taken.deviceBytes()).isEqualTo(none.deviceBytes());
  }

  @Test
  void allWeightsThatTrainAreNoFrozenRows() {
    TrainingSpec full =
        Recipe.full(1, 1e-4).computeDtype(DType.BF16).activations(KeptActivations.INPUTS).spec();
    MemoryTable table =
        MemoryTable.of(new MemoryTable.Rank(LARGE, full, 1, 1, false), new BatchShape(1, 1024));
    assertThat(table.tensors()).noneMatch(row -> row.part() == Part.FROZEN);
    assertThat(device(table, Part.TRAINED)).isEqualTo(18 * 8_030_261_248L);
  }

  private static long device(MemoryTable table, Part part) {
    return table.tensors().stream()
        .filter(row -> row.part() == part)
        .mapToLong(Row::deviceBytes)
        .sum();
  }

  /** Of {@code ranks} that frozen weights are split over. */
  private static MemoryTable.Rank split(DType base, KeptActivations activations, int ranks) {
    TrainingSpec spec = rank(base, activations, 0).spec();
    return new MemoryTable.Rank(LARGE, spec, ranks, ranks, false);
  }

  @Test
  void whatIsKeptForSpeedIsCounted() {
    MemoryTable.Rank rank = rank(DType.FP8, KeptActivations.ALL, 0);
    MemoryTable usual = MemoryTable.of(rank, new BatchShape(4, 1024));
    assertThat(device(usual, "workspace of layers' products")).isEqualTo(32L << 20);
    assertThat(device(usual, "transpose of a weight"))
        .isEqualTo(2L * 14_336 * 4096 + 14_336 * Float.BYTES);
    TrainingSpec spec = rank.spec();
    TrainingSpec kept =
        new TrainingSpec(
            spec.mode(),
            spec.lora(),
            new TrainingSpec.Weights(DType.FP8, Shard.NONE, 0, Columns.KEPT, 0),
            new TrainingSpec.Compute(
                DType.BF16,
                Matmul.FP8,
                KeptActivations.ALL,
                AttentionLibrary.FLASH,
                HeadProducts.FP8),
            spec.batches(),
            spec.updates(),
            spec.seed(),
            spec.evaluation());
    MemoryTable table =
        MemoryTable.of(new MemoryTable.Rank(LARGE, kept, 1, 1, false), new BatchShape(4, 1024));
    assertThat(device(table, "transposes of all weights"))
        .isEqualTo(WEIGHTS_IN_LAYERS + 14_336 * Float.BYTES);
    assertThat(device(table, "head in FP8"))
        .isEqualTo(2L * 128_256 * 4096 + (128_256 + 4096) * Float.BYTES);
  }

  private static long device(MemoryTable table, String name) {
    return table.tensors().stream()
        .filter(row -> row.name().equals(name))
        .mapToLong(Row::deviceBytes)
        .sum();
  }

  private static MemoryTable.Rank rank(
      DType base, KeptActivations activations, double offloadRatio) {
    return rank(base, activations, offloadRatio, AttentionLibrary.FLASH);
  }

  private static MemoryTable.Rank rank(
      DType base, KeptActivations activations, double offloadRatio, AttentionLibrary attention) {
    TrainingSpec start = Recipe.full(1, 1e-4).spec();
    TrainingSpec spec =
        new TrainingSpec(
            TrainingSpec.Mode.LORA,
            new LoraSpec(64, 64, 0, false, List.of("all-linear")),
            new TrainingSpec.Weights(base, Shard.NONE, offloadRatio),
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
    return new MemoryTable.Rank(LARGE, spec, 1, 1, false);
  }
}
