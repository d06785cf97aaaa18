package dev.anneal.training.trainer;

import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.lora.LoraVariant;
import dev.anneal.training.lora.ModuleNames;
import dev.anneal.training.lora.TargetModules;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.Objective.Per;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A short run of a tiny model in six shuffled micro-batches a step, over two epochs and a bit. */
enum ResumableRun {
  FP32(0, DType.FP32),
  /** Also with noise on what is embedded, smoothed labels and a loss per row. */
  DROPOUT(0.3, DType.FP32),
  BF16(0.1, DType.BF16),
  /** Other ranks and scales a module, and a first layer without any. */
  PATTERNS(0, DType.FP32),
  /** With frozen layers split over the ranks. */
  SPLIT(0, DType.BF16),
  /** With magnitudes, in parts, of frozen layers that are in parts too. */
  DORA(0.2, DType.BF16),
  /** Adapters that are parts of the weights, which are split. */
  PISSA(0, DType.BF16),
  FULL(0, DType.FP32);

  static final long STEPS = 6;

  private static final int MICRO_BATCHES = 6;
  private static final List<TokenSequence> ROWS =
      Rows.random(37, 11, 12, 9, 14, 10, 8, 13, 12, 7, 11, 15, 9, 10, 12, 14, 8, 11);

  private final double dropout;
  private final DType computeDtype;

  ResumableRun(double dropout, DType computeDtype) {
    this.dropout = dropout;
    this.computeDtype = computeDtype;
  }

  /** Its six micro-batches dealt to {@code worldSize} ranks. */
  TrainingSpec spec(int worldSize) {
    return new TrainingSpec(
        this == FULL ? TrainingSpec.Mode.FULL : TrainingSpec.Mode.LORA,
        lora(),
        new TrainingSpec.Weights(DType.FP32, shard(), 0),
        new TrainingSpec.Compute(computeDtype, Matmul.COMPUTE, KeptActivations.INPUTS),
        new TrainingSpec.Batches(1, MICRO_BATCHES / worldSize, STEPS, true),
        new TrainingSpec.Updates(
            new AdamWSpec(0.01, 0.1, 0.9, 0.99, 1e-8),
            new LearningRateSchedule(LearningRateSchedule.Type.COSINE, 2, STEPS),
            0.5,
            TrainingSpec.OnNan.STOP,
            this == DROPOUT ? new Objective(Per.ROW, 0.1, 5) : Objective.CROSS_ENTROPY),
        3,
        TrainingSpec.Evaluation.atBothEnds(3));
  }

  private Shard shard() {
    return switch (this) {
      case SPLIT, DORA, PISSA -> Shard.WORLD;
      default -> Shard.NONE;
    };
  }

  private LoraSpec lora() {
    return switch (this) {
      case FULL -> null;
      case PATTERNS ->
          new LoraSpec(
              4,
              8,
              dropout,
              false,
              TargetModules.of(ModuleNames.text(".*\\.1\\..*_proj")),
              Map.of("q_proj", 3, "mlp\\..*", 5),
              Map.of("(up|down)_proj", 2.0));
      case DORA ->
          new LoraSpec(4, 8, dropout, false, List.of("q_proj", "down_proj")).as(LoraVariant.DORA);
      case PISSA ->
          new LoraSpec(4, 8, dropout, false, List.of("q_proj", "down_proj"))
              .as(new LoraVariant.Pissa(3));
      default -> new LoraSpec(4, 8, dropout, false, List.of("q_proj", "down_proj"));
    };
  }

  static TrainingRun.Inputs inputs(Path output, CheckpointPlan checkpoints) {
    return new TrainingRun.Inputs(
        new ModelSource.Random(TinyModels.config(TinyModels.Embeddings.UNTIED), 5),
        null,
        ReferenceRun.source(ROWS),
        ReferenceRun.source(ROWS.subList(0, 3)),
        List.of(new int[] {1, 2, 3}),
        "tiny",
        new LocalOutputFolder(output),
        checkpoints);
  }

  void run(Collectives world, Path output, CheckpointPlan checkpoints, TrainingListener listener) {
    TrainingRun.run(
        spec(world.worldSize()), inputs(output, checkpoints), Ranks.onCpu(world), listener);
  }

  /** The file that it ends in. */
  Path result(Path output) {
    return output.resolve(this == FULL ? "model.safetensors" : "adapter_model.safetensors");
  }
}
