package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.checkpoint.EvaluationState;
import dev.anneal.training.checkpoint.TrainerState;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.trainer.TrainingSpec.Evaluation;
import dev.anneal.training.trainer.TrainingSpec.Keep;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Runs that are evaluated on their way: a tiny model learns random rows by heart, so that its loss
 * on others falls and then rises.
 */
class EvaluationWhileTrainingTest {
  private static final long STEPS = 7;
  private static final Evaluation EVERY_2 = new Evaluation(3, 2, Keep.LAST, 0, 0);
  private static final Evaluation BEST = new Evaluation(3, 2, Keep.BEST, 0, 0);
  private static final String[] MEASURED_BY_THE_CLOCK = {
    "tokensPerSecond", "peakMemoryBytes", "times"
  };
  private static final List<TokenSequence> HELD_OUT = Rows.random(37, 99, 12, 9, 14, 10, 8, 13, 11);

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void comesAfterEveryNthStepAndTheLastAndChangesNothingElse(int worldSize) throws Exception {
    Listener without = new Listener();
    run(worldSize, Evaluation.atBothEnds(3), "without", none(), without);
    Listener with = new Listener();
    run(worldSize, EVERY_2, "with", none(), with);
    assertThat(without.losses.keySet()).containsExactly(0L, STEPS);
    assertThat(with.losses.keySet()).containsExactly(0L, 2L, 4L, 6L, 7L);
    assertThat(with.losses).containsAllEntriesOf(without.losses);
    assertThat(with.sampled).containsExactly(0L, 2L, 4L, 6L, 7L);
    assertThat(with.steps())
        .usingRecursiveFieldByFieldElementComparatorIgnoringFields(MEASURED_BY_THE_CLOCK)
        .isEqualTo(without.steps());
    assertThat(result("with")).hasSameBinaryContentAs(result("without"));
    assertThat(without.ends).isEmpty();
    assertThat(with.ends).extracting(EvaluatedEnd::resultStep).containsExactly(STEPS);
  }

  @Test
  void aLossIsTheSameToTheLastDigitAtAnyWorldSize() throws Exception {
    List<Map<Long, Double>> found = new ArrayList<>();
    for (int worldSize : new int[] {1, 2, 3, 6}) {
      Listener listener = new Listener();
      run(worldSize, EVERY_2, "world-" + worldSize, none(), listener);
      found.add(listener.losses);
    }
    // later ones are those of parameters that agree to rounding
    assertThat(found).extracting(losses -> losses.get(0L)).containsOnly(found.get(0).get(0L));
    for (Map<Long, Double> losses : found) {
      assertThat(losses.keySet()).isEqualTo(found.get(0).keySet());
      losses.forEach(
          (step, loss) -> assertThat(loss).isCloseTo(found.get(0).get(step), offset(1e-4)));
    }
  }

  @ParameterizedTest
  @CsvSource({"1, LAST", "2, LAST", "1, BEST", "2, BEST"})
  void aRunThatWasCutOffTellsTheSame(int worldSize, Keep keep) throws Exception {
    Evaluation spec = new Evaluation(3, 2, keep, 0, 0);
    Listener whole = new Listener();
    run(
        worldSize,
        spec,
        "whole",
        new LocalCheckpoints(folder.resolve("whole-cut")).every(1),
        whole);
    for (long step = 1; step < STEPS; step++) {
      LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("cut-" + step));
      Listener before = new CutOff(step, checkpoints);
      assertThat(ranks(worldSize, spec, "cut-off", checkpoints.every(1), before))
          .allSatisfy(e -> assertThat(e).isNotNull());
      Listener after = new Listener();
      run(worldSize, spec, "resumed-" + step, checkpoints.every(1, step), after);

      assertThat(result("resumed-" + step)).hasSameBinaryContentAs(result("whole"));
      SortedMap<Long, Double> told = new TreeMap<>(before.losses.headMap(step + 1));
      for (Map.Entry<Long, Double> loss : after.losses.entrySet()) {
        assertThat(told.put(loss.getKey(), loss.getValue())).as("doubled").isNull();
      }
      assertThat(told).isEqualTo(whole.losses);
      assertThat(after.ends).isEqualTo(whole.ends);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void whoIsToldToStopIsEvaluatedWhenHeGoesOn(int worldSize) throws Exception {
    Listener whole = new Listener();
    run(worldSize, BEST, "whole", new LocalCheckpoints(folder.resolve("all")).every(3), whole);
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("stopped"));
    Listener before =
        new Listener() {
          @Override
          public boolean stopRequested() {
            return steps().size() == 3;
          }
        };
    assertThat(ranks(worldSize, BEST, "stopped-result", checkpoints.every(3), before))
        .allSatisfy(e -> assertThat(e).isInstanceOf(TrainingStopped.class));
    assertThat(before.losses.keySet()).containsExactly(0L, 2L);
    assertThat(state(checkpoints, 4).evaluation().step()).isEqualTo(2);

    Listener after = new Listener();
    run(worldSize, BEST, "resumed", checkpoints.every(3, 4), after);
    assertThat(after.losses).isEqualTo(whole.losses.tailMap(3L));
    assertThat(after.ends).isEqualTo(whole.ends);
    assertThat(result("resumed")).hasSameBinaryContentAs(result("whole"));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void anEvaluationWaitsForNobodyWhoIsToldToStop(int worldSize) throws Exception {
    Listener whole = new Listener();
    run(worldSize, BEST, "whole", new LocalCheckpoints(folder.resolve("all")).every(3), whole);
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("stopped"));
    List<Listener> before = new ArrayList<>();
    List<Throwable> thrown =
        GlooRanks.run(
            worldSize,
            world -> {
              Listener mine =
                  new Listener() {
                    @Override
                    public boolean stopRequested() {
                      // asked in the evaluation after step 4, of one rank
                      return world.rank() == worldSize - 1 && steps().size() == 4;
                    }
                  };
              synchronized (before) {
                before.add(mine);
              }
              train(world, BEST, "stopped-result", checkpoints.every(3), STEPS, mine);
            });
    assertThat(thrown)
        .hasSize(worldSize)
        .allSatisfy(
            e ->
                assertThat(e)
                    .isInstanceOfSatisfying(
                        TrainingStopped.class, stop -> assertThat(stop.step()).isEqualTo(4)));
    assertThat(before).allSatisfy(mine -> assertThat(mine.losses.keySet()).containsExactly(0L, 2L));
    assertThat(checkpoints.complete()).last().isEqualTo(4L);
    assertThat(state(checkpoints, 4).evaluation().step()).isEqualTo(2);

    Listener after = new Listener();
    run(worldSize, BEST, "resumed", checkpoints.every(3, 4), after);
    assertThat(after.losses).isEqualTo(whole.losses.tailMap(3L));
    assertThat(result("resumed")).hasSameBinaryContentAs(result("whole"));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void theBestAdapterIsThatOfARunThatEndsThere(int worldSize) throws Exception {
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("checkpoints"));
    Listener listener = new Listener();
    run(worldSize, BEST, "best", checkpoints.every(1000), listener);
    EvaluatedEnd end = listener.ends.get(0);
    long best = smallest(listener.losses);
    assertThat(best).as("%s", listener.losses).isLessThan(STEPS);
    assertThat(end)
        .isEqualTo(
            new EvaluatedEnd(
                STEPS, false, end.withoutGain(), best, listener.losses.get(best), best));
    run(worldSize, Evaluation.atBothEnds(3), "short", none(), best, new Listener());
    assertThat(result("best")).hasSameBinaryContentAs(result("short"));
    run(worldSize, EVERY_2, "last", none(), new Listener());
    assertThat(Files.mismatch(result("best"), result("last"))).isNotNegative();

    // one at every step that was the best so far, and the last
    assertThat(checkpoints.complete()).contains(best, STEPS).doesNotContain(1L, 3L, 5L);
    assertThat(checkpoints.parts().get(STEPS))
        .extracting(CheckpointPart::bestStep)
        .containsOnly(best);
    assertThat(checkpoints.parts().get(2L)).extracting(CheckpointPart::bestStep).containsOnly(2L);
  }

  @Test
  void whereTheLastIsKeptNoCheckpointDependsOnAnother() throws Exception {
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("checkpoints"));
    run(1, EVERY_2, "last", checkpoints.every(3), new Listener());
    assertThat(checkpoints.parts().values())
        .allSatisfy(
            parts -> assertThat(parts).extracting(CheckpointPart::bestStep).containsOnly(0L));
    assertThat(state(checkpoints, STEPS).evaluation().bestStep()).isPositive();
  }

  @ParameterizedTest
  @CsvSource({"1, LAST", "2, LAST", "1, BEST", "2, BEST"})
  void patienceEndsARunInGoodOrder(int worldSize, Keep keep) throws Exception {
    Evaluation patient = new Evaluation(3, 1, keep, 2, 0);
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("checkpoints"));
    Listener listener = new Listener();
    run(worldSize, patient, "early", checkpoints.every(1000), listener);
    Listener whole = new Listener();
    run(worldSize, new Evaluation(3, 1, Keep.LAST, 0, 0), "whole", none(), whole);
    long best = smallest(whole.losses.headMap(listener.ends.get(0).step() + 1));
    long last = best + 2;
    assertThat(last).isLessThan(STEPS);
    assertThat(listener.ends)
        .containsExactly(
            new EvaluatedEnd(
                last, true, 2, best, whole.losses.get(best), keep == Keep.BEST ? best : last));
    assertThat(listener.losses).isEqualTo(whole.losses.headMap(last + 1));
    assertThat(listener.steps())
        .usingRecursiveFieldByFieldElementComparatorIgnoringFields(MEASURED_BY_THE_CLOCK)
        .isEqualTo(whole.steps().subList(0, (int) last));
    assertThat(checkpoints.complete()).last().isEqualTo(last);

    Listener after = new Listener();
    run(worldSize, patient, "again", checkpoints.every(1000, last), after);
    assertThat(after.steps()).isEmpty();
    assertThat(after.losses).isEmpty();
    assertThat(after.ends).isEqualTo(listener.ends);
    assertThat(result("again")).hasSameBinaryContentAs(result("early"));
  }

  @Test
  void minDeltaMakesSmallGainsNone() throws Exception {
    Listener listener = new Listener();
    run(1, new Evaluation(3, 1, Keep.LAST, 3, 100), "early", none(), listener);
    // the first is the one that others are measured by
    assertThat(listener.ends.get(0).step()).isEqualTo(4);
    assertThat(listener.ends.get(0).early()).isTrue();
  }

  @Test
  void patienceSurvivesAResume() throws Exception {
    Evaluation patient = new Evaluation(3, 1, Keep.LAST, 3, 100);
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("checkpoints"));
    assertThat(ranks(1, patient, "cut-off", checkpoints.every(1), new CutOff(3, checkpoints)))
        .allSatisfy(e -> assertThat(e).isNotNull());
    Listener after = new Listener();
    run(1, patient, "resumed", checkpoints.every(1, 3), after);
    assertThat(after.steps()).extracting(StepMetrics::step).containsExactly(4L);
    assertThat(after.ends).extracting(EvaluatedEnd::step).containsExactly(4L);
  }

  @Test
  void aCheckpointOfARunThatWasNotEvaluatedCanBeGoneOnFrom() throws Exception {
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("checkpoints"));
    Evaluation none = Evaluation.atBothEnds(3);
    ranks(1, none, "cut-off", checkpoints.every(1), new CutOff(4, checkpoints));
    assertThat(state(checkpoints, 4).evaluation()).isEqualTo(EvaluationState.NONE);
    Listener after = new Listener();
    run(1, EVERY_2, "resumed", checkpoints.every(1, 4), after);
    Listener whole = new Listener();
    run(1, EVERY_2, "whole", none(), whole);
    assertThat(after.losses).isEqualTo(whole.losses.tailMap(4L));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void withoutItsBestCheckpointARunFails(int worldSize) throws Exception {
    List<Throwable> thrown =
        GlooRanks.run(
            worldSize,
            world -> {
              LocalCheckpoints checkpoints =
                  new LocalCheckpoints(folder.resolve("checkpoints")) {
                    @Override
                    public OutputFolder folder(long step) {
                      if (world.rank() == worldSize - 1) {
                        throw new UncheckedIOException(new IOException("no space left"));
                      }
                      return super.folder(step);
                    }
                  };
              train(world, BEST, "result", checkpoints.every(1000), STEPS, new Listener());
            });
    assertThat(thrown)
        .hasSize(worldSize)
        .allSatisfy(
            e ->
                assertThat(e)
                    .isInstanceOf(TrainingException.class)
                    .hasMessageContaining("which holds the best adapter")
                    .hasMessageContaining("could not be written"));
    assertThat(folder.resolve("result")).doesNotExist();
  }

  private static long smallest(Map<Long, Double> losses) {
    return losses.entrySet().stream()
        .filter(loss -> loss.getKey() > 0)
        .min(Map.Entry.comparingByValue())
        .orElseThrow()
        .getKey();
  }

  private static TrainerState state(LocalCheckpoints checkpoints, long step) throws IOException {
    return TrainerState.read(new LocalModelFolder(checkpoints.path(step)));
  }

  private static CheckpointPlan none() {
    return CheckpointPlan.NONE;
  }

  private Path result(String output) {
    return folder.resolve(output).resolve("adapter_model.safetensors");
  }

  private void run(
      int worldSize, Evaluation evaluation, String output, CheckpointPlan plan, Listener listener)
      throws Exception {
    run(worldSize, evaluation, output, plan, STEPS, listener);
  }

  /** All ranks; {@code listener} is rank 0's, and the others must hear the same. */
  private void run(
      int worldSize,
      Evaluation evaluation,
      String output,
      CheckpointPlan plan,
      long steps,
      Listener listener)
      throws Exception {
    List<Listener> others = new ArrayList<>();
    List<Throwable> thrown =
        GlooRanks.run(
            worldSize,
            world -> {
              Listener mine = world.rank() == 0 ? listener : new Listener();
              synchronized (others) {
                others.add(mine);
              }
              train(world, evaluation, output, plan, steps, mine);
            });
    assertThat(thrown).containsOnlyNulls();
    assertThat(others)
        .allSatisfy(
            other -> {
              assertThat(other.losses).isEqualTo(listener.losses);
              assertThat(other.ends).isEqualTo(listener.ends);
            });
  }

  /** What every rank threw; rank 0 has {@code listener}, the others one that hears nothing. */
  private List<Throwable> ranks(
      int worldSize, Evaluation evaluation, String output, CheckpointPlan plan, Listener listener)
      throws Exception {
    return GlooRanks.run(
        worldSize,
        world ->
            train(
                world,
                evaluation,
                output,
                plan,
                STEPS,
                world.rank() == 0 ? listener : new Listener()));
  }

  private void train(
      Collectives world,
      Evaluation evaluation,
      String output,
      CheckpointPlan plan,
      long steps,
      Listener listener) {
    TrainingSpec spec =
        Recipe.from(ResumableRun.FP32.spec(world.worldSize()))
            .steps(steps)
            .constantLearningRate(0.3)
            .evaluation(evaluation)
            .spec();
    TrainingRun.Inputs start = ResumableRun.inputs(folder.resolve(output), plan);
    TrainingRun.run(
        spec,
        new TrainingRun.Inputs(
            new ModelSource.Random(TinyModels.config(TinyModels.Embeddings.UNTIED), 5),
            null,
            start.train(),
            ReferenceRun.source(HELD_OUT),
            start.samplePrompts(),
            "tiny",
            new LocalOutputFolder(folder.resolve(output)),
            plan),
        Ranks.onCpu(world),
        listener);
  }

  /** Keeps what a rank hears. */
  private static class Listener extends RecordingListener {
    final SortedMap<Long, Double> losses = new TreeMap<>();
    final List<Long> sampled = new ArrayList<>();
    final List<EvaluatedEnd> ends = new ArrayList<>();

    @Override
    public void onEvaluation(long step, double evalLoss) {
      assertThat(losses.put(step, evalLoss)).as("step %s is told twice", step).isNull();
    }

    @Override
    public void onSample(long step, int sample, int[] promptIds, int[] generatedIds) {
      sampled.add(step);
    }

    @Override
    public void onEnd(EvaluatedEnd end) {
      ends.add(end);
    }
  }

  /** Throws in the step after {@code step}, whose checkpoint is there by then. */
  private static final class CutOff extends Listener {
    private final long step;
    private final LocalCheckpoints checkpoints;

    CutOff(long step, LocalCheckpoints checkpoints) {
      this.step = step;
      this.checkpoints = checkpoints;
    }

    @Override
    public boolean cancelled() {
      return checkpoints.cutAfter(step, steps().size());
    }
  }
}
