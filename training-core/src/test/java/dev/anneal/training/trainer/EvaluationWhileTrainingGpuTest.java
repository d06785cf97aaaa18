package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.trainer.TrainingSpec.Evaluation;
import dev.anneal.training.trainer.TrainingSpec.Keep;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Forward passes and generation between the steps of a GPU, whose layers, offloaded weights and
 * exchanged parameters are on their way then.
 */
@Tag("gpu")
class EvaluationWhileTrainingGpuTest {
  private static final Ranks GPU = new Ranks(Device.gpu(0), new SingleRank(), new SingleRank());
  private static final long STEPS = 8;

  /** Steps after which the held-out loss is made to rise. */
  private static final int GOOD_STEPS = 3;

  private static final int WRONG_TOKEN = 7;

  private static ReferenceRun reference;

  @TempDir Path output;

  @BeforeAll
  static void load() throws IOException {
    reference = ReferenceRun.load();
  }

  enum Numbers {
    FP32,
    BF16,
    FP8
  }

  @ParameterizedTest
  @CsvSource({"FP32, 0", "BF16, 0", "BF16, 1", "FP8, 0", "FP8, 0.3", "FP8, 1"})
  void changesNoBitOfTheSteps(Numbers numbers, double offloadRatio) throws IOException {
    Listener without =
        train(recipe(numbers, offloadRatio), Evaluation.atBothEnds(4), STEPS, "without", null);
    Listener with =
        train(
            recipe(numbers, offloadRatio),
            new Evaluation(4, 1, Keep.LAST, 0, 0),
            STEPS,
            "with",
            null);
    assertThat(with.losses).as("held-out losses").hasSize((int) STEPS + 1);
    assertThat(lossesAndNorms(with)).as("losses and norms").isEqualTo(lossesAndNorms(without));
    assertThat(with.losses).as("at both ends").containsAllEntriesOf(without.losses);
    assertThat(adapter("with")).hasSameBinaryContentAs(adapter("without"));
  }

  @ParameterizedTest
  @EnumSource
  void theBestAdapterIsThatOfARunThatEndsThere(Numbers numbers) throws IOException {
    LocalCheckpoints checkpoints = new LocalCheckpoints(output.resolve("checkpoints"));
    List<TokenSequence> rows = misleadingFrom(GOOD_STEPS);
    Evaluation best = new Evaluation(4, 1, Keep.BEST, 0, 0);
    Listener listener =
        train(constant(numbers), rows, best, STEPS, "best", checkpoints.every(1000));
    assertThat(checkpoints.failures()).isEmpty();
    EvaluatedEnd end = listener.ends.get(0);
    assertThat(end.resultStep()).isEqualTo(end.bestStep());
    assertThat(end.bestStep())
        .as("the test needs a best step between the first and the last: %s", listener.losses)
        .isBetween(1L, STEPS - 1);
    Evaluation atBothEnds = Evaluation.atBothEnds(4);
    train(constant(numbers), rows, atBothEnds, end.bestStep(), "short", null);
    assertThat(adapter("best")).hasSameBinaryContentAs(adapter("short"));
  }

  /**
   * The reference's rows, but those that come after {@code steps} steps all teach one and the same
   * wrong token: the held-out loss falls and then rises far, whatever the numbers are.
   */
  private static List<TokenSequence> misleadingFrom(int steps) throws IOException {
    TrainingSpec.Batches batches = reference.spec(1).batches();
    int good = steps * batches.microBatchSize() * batches.gradientAccumulation();
    List<TokenSequence> rows = new ArrayList<>(reference.rows());
    for (int i = good; i < rows.size(); i++) {
      TokenSequence row = rows.get(i);
      int[] ids = row.inputIds().clone();
      Arrays.fill(ids, row.targetSpans()[0], ids.length, WRONG_TOKEN);
      rows.set(i, new TokenSequence(ids, row.rowLengths(), row.targetSpans()));
    }
    return rows;
  }

  private static Recipe constant(Numbers numbers) {
    return recipe(numbers, 0).constantLearningRate(0.01);
  }

  private static Recipe recipe(Numbers numbers, double offloadRatio) {
    Recipe recipe = Recipe.from(reference.spec(1)).offloadRatio(offloadRatio);
    return switch (numbers) {
      case FP32 -> recipe;
      case BF16 -> recipe.computeDtype(DType.BF16).baseDtype(DType.BF16);
      case FP8 -> recipe.computeDtype(DType.BF16).baseDtype(DType.FP8).matmul(Matmul.FP8);
    };
  }

  private Listener train(
      Recipe recipe, Evaluation evaluation, long steps, String name, CheckpointPlan plan)
      throws IOException {
    return train(recipe, reference.rows(), evaluation, steps, name, plan);
  }

  private Listener train(
      Recipe recipe,
      List<TokenSequence> rows,
      Evaluation evaluation,
      long steps,
      String name,
      CheckpointPlan plan)
      throws IOException {
    Listener listener = new Listener();
    TrainingRun.Inputs inputs =
        reference.inputs(
            reference.adapter("adapter_init"),
            rows,
            reference.rows().subList(0, 7),
            List.of(new int[] {1, 2, 3}),
            output.resolve(name));
    TrainingRun.run(
        recipe.steps(steps).evaluation(evaluation).spec(),
        plan == null ? inputs : ReferenceRun.with(inputs, plan),
        GPU,
        listener);
    return listener;
  }

  private Path adapter(String name) {
    return output.resolve(name).resolve(SafetensorsIndex.ADAPTER_FILE);
  }

  private static List<Map.Entry<Double, Double>> lossesAndNorms(Listener listener) {
    return listener.steps().stream().map(s -> Map.entry(s.loss(), s.gradNorm())).toList();
  }

  private static final class Listener extends RecordingListener {
    private final SortedMap<Long, Double> losses = new TreeMap<>();
    private final List<EvaluatedEnd> ends = new ArrayList<>();

    @Override
    public void onEvaluation(long step, double evalLoss) {
      losses.put(step, evalLoss);
    }

    @Override
    public void onEnd(EvaluatedEnd end) {
      ends.add(end);
    }
  }
}
