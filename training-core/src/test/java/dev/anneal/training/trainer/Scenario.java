package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** A variation of the reference run that two ranks do together. */
enum Scenario {
  FP32(Shard.NONE),
  FP32_SHARDED(Shard.WORLD),
  BF16(Shard.NONE),
  BF16_SHARDED(Shard.WORLD),
  KEPT_ACTIVATIONS(Shard.NONE),
  KEPT_ACTIVATIONS_SHARDED(Shard.WORLD),
  DROPOUT(Shard.NONE),
  DROPOUT_SHARDED(Shard.WORLD);

  /** Makes three batches of the reference's four: an odd number for two ranks. */
  static final int EVAL_ROWS = 9;

  private final Shard shard;

  Scenario(Shard shard) {
    this.shard = shard;
  }

  TrainingSpec spec(ReferenceRun reference, int worldSize) {
    Recipe recipe = Recipe.from(reference.spec(worldSize)).shard(shard).sampleTokens(5);
    return switch (this) {
      case FP32, FP32_SHARDED -> recipe.spec();
      case BF16, BF16_SHARDED -> recipe.baseDtype(DType.BF16).spec();
      case KEPT_ACTIVATIONS, KEPT_ACTIVATIONS_SHARDED ->
          recipe.activations(KeptActivations.ALL).spec();
      case DROPOUT, DROPOUT_SHARDED -> recipe.dropout(0.3).spec();
    };
  }

  /** Held-out rows are the first rows, which the reference trains on too. */
  void run(Collectives collectives, Path folder, TrainingListener listener) throws IOException {
    ReferenceRun reference = ReferenceRun.load();
    List<TokenSequence> rows = reference.rows();
    List<int[]> prompts = List.of(rows.get(0).inputIds(), rows.get(1).inputIds());
    TrainingRun.run(
        spec(reference, collectives.worldSize()),
        reference.inputs(
            reference.adapter("adapter_init"),
            rows,
            rows.subList(0, EVAL_ROWS),
            prompts,
            output(folder)),
        Ranks.onCpu(collectives),
        listener);
  }

  Path output(Path folder) {
    return folder.resolve(name().toLowerCase(Locale.ROOT));
  }
}
