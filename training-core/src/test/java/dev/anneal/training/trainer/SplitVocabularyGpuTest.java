package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.training.Rows;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Two GPUs that hold a half of embedding and head each, beside two that hold them whole: the same
 * numbers, in the memory that the table says.
 */
@Tag("gpu")
class SplitVocabularyGpuTest {
  private static final int STEPS = 4;

  /** One of cuBLAS that is missing in the table, or stands in it twice, is noticed. */
  private static final long HALF_A_WORKSPACE = 16L << 20;

  /** Of which one rank has a row more than the other. */
  private static final LlamaConfig ODD = config(8193, 1024, false);

  private static final LlamaConfig ODD_AND_TIED = config(8193, 1024, true);

  /** Embedding and head of 1 GB each, which are most of the model. */
  private static final LlamaConfig LARGE = config(128_256, 4096, false);

  private static final LlamaConfig LARGE_AND_TIED = config(128_256, 4096, true);

  /**
   * What a run has told.
   *
   * @param heldBefore bytes that tensors of its GPU held before it began
   * @param reserved the most bytes that libtorch had taken from the driver by its end
   */
  private record Told(RecordingListener listener, long heldBefore, long reserved) {
    List<Double> numbers() {
      List<Double> numbers = RecordingListener.numbers(listener.steps());
      numbers.addAll(listener.evaluations());
      return numbers;
    }

    long peakBytes() {
      return listener.steps().stream().mapToLong(StepMetrics::peakMemoryBytes).max().orElseThrow();
    }
  }

  @TempDir Path output;

  @BeforeEach
  void twoGpus() {
    NcclPair.assumeGpus(2);
  }

  /** The last of them by the reference, since the fused layers have no dropout. */
  @ParameterizedTest
  @CsvSource({
    "BF16, COMPUTE, false, CHECKPOINT, 0",
    "FP8, FP8, false, CHECKPOINT, 0",
    "FP8, FP8, true, KEEP, 0",
    "FP8, COMPUTE, false, CHECKPOINT, 0.2"
  })
  void splitWeightsChangeNoNumber(
      DType base, Matmul matmul, boolean tied, String activations, double dropout)
      throws Exception {
    LlamaConfig config = tied ? ODD_AND_TIED : ODD;
    BatchShape batch = new BatchShape(2, 512);
    TrainingSpec whole = spec(base, matmul, Shard.NONE, of(activations), dropout, batch);
    TrainingSpec split = spec(base, matmul, Shard.NODE, of(activations), dropout, batch);
    List<Told> expected = train(config, whole, batch, true);
    List<Told> found = train(config, split, batch, true);
    for (int rank = 0; rank < 2; rank++) {
      assertThat(found.get(rank).numbers())
          .as("losses, norms and held-out losses that rank %s tells", rank)
          .isEqualTo(expected.get(rank).numbers())
          .hasSize(2 * STEPS + 2);
      assertThat(found.get(rank).listener().samples())
          .as("samples that rank %s tells", rank)
          .usingRecursiveComparison()
          .isEqualTo(expected.get(rank).listener().samples());
    }
    assertThat(expected.get(0).numbers())
        .as("losses and norms of a run that learns")
        .doesNotHaveDuplicates()
        .allMatch(Double::isFinite);
  }

  @ParameterizedTest
  @CsvSource({
    "BF16, COMPUTE, false, CHECKPOINT",
    "FP8, FP8, false, CHECKPOINT",
    "FP8, FP8, true, CHECKPOINT",
    "FP8, FP8, false, KEEP"
  })
  void theGpusHoldWhatTheTableSays(DType base, Matmul matmul, boolean tied, String activations)
      throws Exception {
    LlamaConfig config = tied ? LARGE_AND_TIED : LARGE;
    BatchShape batch = new BatchShape(4, 1024);
    for (Shard shard : new Shard[] {Shard.NONE, Shard.NODE}) {
      TrainingSpec spec = spec(base, matmul, shard, of(activations), 0, batch);
      int split = shard == Shard.NONE ? 1 : 2;
      MemoryTable table =
          MemoryTable.of(new MemoryTable.Rank(config, spec, 2, split, false), batch);
      for (Told told : train(config, spec, batch, false)) {
        String what =
            String.format(
                Locale.ROOT,
                "%s, %s, shard %s, tied %s: %.1f MB at the peak, %.1f MB by the table (%s), %.1f MB held before, %.1f MB reserved",
                base,
                activations,
                shard,
                tied,
                told.peakBytes() / 1e6,
                table.tensorBytes() / 1e6,
                table.moment(),
                told.heldBefore() / 1e6,
                told.reserved() / 1e6);
        System.out.println(what);
        assertThat(told.peakBytes() - told.heldBefore())
            .as(what)
            .isCloseTo(table.tensorBytes(), within(HALF_A_WORKSPACE));
      }
    }
  }

  private static KeptActivations of(String name) {
    return name.equals("KEEP") ? KeptActivations.ALL : KeptActivations.INPUTS;
  }

  /** Two layers with heads of 128. */
  private static LlamaConfig config(int vocabulary, int hidden, boolean tied) {
    return new LlamaConfig(
        vocabulary,
        hidden,
        2 * hidden,
        2,
        hidden / 128,
        hidden / 512,
        128,
        1e-5,
        null,
        10_000,
        1024,
        tied,
        null,
        List.of());
  }

  private static TrainingSpec spec(
      DType base,
      Matmul matmul,
      Shard shard,
      KeptActivations activations,
      double dropout,
      BatchShape batch) {
    TrainingSpec start = Recipe.full(STEPS, 1e-3).spec();
    return new TrainingSpec(
        TrainingSpec.Mode.LORA,
        new LoraSpec(8, 16, dropout, false, List.of("all-linear")),
        new TrainingSpec.Weights(base, shard, 0),
        new TrainingSpec.Compute(DType.BF16, matmul, activations),
        new TrainingSpec.Batches((int) batch.rows(), 1, STEPS, false),
        start.updates(),
        7,
        TrainingSpec.Evaluation.atBothEnds(3));
  }

  /**
   * @param evaluate whether held-out loss and samples are asked for too
   */
  private List<Told> train(
      LlamaConfig config, TrainingSpec spec, BatchShape batch, boolean evaluate) throws Exception {
    List<TokenSequence> rows = rows(config, batch);
    int[] prompt = {5, config.vocabSize() - 1, 77};
    // else a run has those that an earlier one left, which would be held before it began
    Gpus.require(2);
    torch_cuda.clearCublasWorkspaces();
    return NcclRanks.run(
        2,
        ranks -> {
          GpuMemory memory = new GpuMemory(ranks.device());
          memory.resetPeak();
          long held = memory.allocatedBytes();
          RecordingListener listener = new RecordingListener();
          TrainingRun.Inputs inputs =
              new TrainingRun.Inputs(
                  new ModelSource.Random(config, 1),
                  null,
                  ReferenceRun.source(rows),
                  // three batches, so that one rank idles in the second round
                  evaluate ? ReferenceRun.source(rows.subList(0, 3 * (int) batch.rows())) : null,
                  evaluate ? List.of(prompt) : List.of(),
                  "random",
                  new LocalOutputFolder(output.resolve("rank-" + ranks.rank())),
                  CheckpointPlan.NONE);
          TrainingRun.run(spec, inputs, ranks, listener);
          return new Told(listener, held, memory.peakReservedBytes());
        });
  }

  /** Every token but the first is learned, as the table counts. */
  private static List<TokenSequence> rows(LlamaConfig config, BatchShape batch) {
    SplittableRandom random = new SplittableRandom(11);
    List<TokenSequence> rows = new ArrayList<>();
    for (int row = 0; row < 2 * batch.rows() * STEPS; row++) {
      rows.add(Rows.row(1, random.ints(batch.length(), 0, config.vocabSize()).toArray()));
    }
    return rows;
  }
}
