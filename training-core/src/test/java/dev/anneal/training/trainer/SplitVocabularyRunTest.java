package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Property;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenLayers.Shard;
import dev.anneal.training.weights.FrozenVocabulary;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Runs of three ranks, which do not divide the reference's vocabulary of 320, from the files to
 * what is told: whether frozen weights are split changes no bit.
 */
class SplitVocabularyRunTest {
  private static final int RANKS = 3;
  private static final int STEPS = 3;

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "FP32, 0, small, small, small",
    "FP32, 0, never, small, never",
    "BF16, 0, never, never, small",
    "FP8, 0, small, never, never",
    "FP32, 0.2, small, small, never",
    "FP32, 0.2, never, never, small"
  })
  void splitWeightsChangeNoNumber(
      DType base, double dropout, String adapters, String head, String gradients) throws Exception {
    List<RecordingListener> whole = run(base, dropout, Shard.NONE);
    List<RecordingListener> split;
    try (Property ofAdapters = Property.set(AdapterGathering.PROPERTY, adapters);
        Property ofHead = Property.set(FrozenVocabulary.HEAD_PROPERTY, head);
        Property ofSums = Property.set(AdapterGathering.GRADIENTS_PROPERTY, gradients)) {
      split = run(base, dropout, Shard.WORLD);
    }
    for (int rank = 0; rank < RANKS; rank++) {
      RecordingListener expected = whole.get(rank);
      RecordingListener found = split.get(rank);
      assertThat(found.steps())
          .as("steps that rank %s tells", rank)
          .usingRecursiveFieldByFieldElementComparatorIgnoringFields(
              "tokensPerSecond", "peakMemoryBytes", "times")
          .isEqualTo(expected.steps())
          .hasSize(STEPS);
      assertThat(found.evaluations())
          .as("held-out losses that rank %s tells", rank)
          .isEqualTo(expected.evaluations())
          .hasSize(2);
      assertThat(found.samples())
          .as("samples that rank %s tells", rank)
          .usingRecursiveComparison()
          .isEqualTo(expected.samples());
    }
    assertThat(whole.get(0).samples()).hasSize(4);
  }

  private List<RecordingListener> run(DType base, double dropout, Shard shard) throws Exception {
    ReferenceRun reference = ReferenceRun.load();
    TrainingSpec spec =
        Recipe.from(reference.spec(1))
            .baseDtype(base)
            .dropout(dropout)
            .shard(shard)
            .activations(KeptActivations.INPUTS)
            .batch(2, 2)
            .steps(STEPS)
            .sampleTokens(5)
            .spec();
    List<TokenSequence> rows = withUnlearned(reference.rows());
    // one batch more than two rounds of the ranks, so that two of them idle in the third
    List<TokenSequence> heldOut = rows.subList(0, 13);
    List<int[]> prompts = List.of(rows.get(0).inputIds(), rows.get(4).inputIds());
    List<RecordingListener> listeners = new ArrayList<>(Collections.nCopies(RANKS, null));
    List<Throwable> thrown =
        GlooRanks.run(
            RANKS,
            world -> {
              RecordingListener listener = new RecordingListener();
              listeners.set(world.rank(), listener);
              Path output = folder.resolve(shard + "-" + world.rank());
              TrainingRun.run(
                  spec,
                  reference.inputs(
                      reference.adapter("adapter_init"), rows, heldOut, prompts, output),
                  Ranks.onCpu(world),
                  listener);
            });
    assertThat(thrown).containsOnlyNulls();
    return listeners;
  }

  /** The second micro-batch, which is rank 1's, has nothing to learn. */
  private static List<TokenSequence> withUnlearned(List<TokenSequence> rows) {
    List<TokenSequence> some = new ArrayList<>(rows);
    for (int row = 2; row < 4; row++) {
      int[] ids = rows.get(row).inputIds();
      some.set(row, new TokenSequence(ids, new int[] {ids.length}, new int[0]));
    }
    return some;
  }
}
