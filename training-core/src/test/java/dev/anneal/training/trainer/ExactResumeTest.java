package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Deviation;
import dev.anneal.training.checkpoint.CheckpointPlan;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** A run that is cut off and goes on from a checkpoint ends as one that was left alone. */
class ExactResumeTest {
  private static final String[] MEASURED_BY_THE_CLOCK = {
    "tokensPerSecond", "peakMemoryBytes", "times"
  };

  @TempDir Path folder;

  static Stream<Arguments> runsAndWorldSizes() {
    return Stream.of(ResumableRun.values())
        .flatMap(run -> IntStream.of(1, 2).mapToObj(size -> Arguments.of(run, size)));
  }

  @ParameterizedTest
  @MethodSource("runsAndWorldSizes")
  void afterEveryStep(ResumableRun run, int worldSize) throws Exception {
    List<RecordingListener> whole = train(run, worldSize, "whole", CheckpointPlan.NONE);
    byte[] expected = Files.readAllBytes(run.result(folder.resolve("whole")));
    for (long step = 1; step <= ResumableRun.STEPS; step++) {
      LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("cut-" + step));
      List<RecordingListener> before = cut(run, worldSize, step, checkpoints);
      assertThat(checkpoints.complete()).last().isEqualTo(step);

      String output = "resumed-" + step;
      List<RecordingListener> after = train(run, worldSize, output, checkpoints.every(1, step));

      assertThat(run.result(folder.resolve(output))).hasBinaryContent(expected);
      for (int rank = 0; rank < worldSize; rank++) {
        List<StepMetrics> steps = new ArrayList<>(before.get(rank).steps().subList(0, (int) step));
        steps.addAll(after.get(rank).steps());
        assertThat(steps)
            .usingRecursiveFieldByFieldElementComparatorIgnoringFields(MEASURED_BY_THE_CLOCK)
            .isEqualTo(whole.get(rank).steps());
        assertThat(after.get(rank).evaluations())
            .isEqualTo(whole.get(rank).evaluations().subList(1, 2));
        assertThat(after.get(rank).samples()).hasSize(1);
        assertThat(after.get(rank).samples().get(0)).isEqualTo(whole.get(rank).samples().get(1));
      }
    }
  }

  /** Training ends with an exception once the checkpoint of {@code step} is there. */
  private List<RecordingListener> cut(
      ResumableRun run, int worldSize, long step, LocalCheckpoints checkpoints) throws Exception {
    List<RecordingListener> listeners = listeners(worldSize, () -> new Cut(step, checkpoints));
    List<Throwable> thrown =
        GlooRanks.run(
            worldSize,
            world ->
                run.run(
                    world,
                    folder.resolve("cut-off"),
                    checkpoints.every(1),
                    listeners.get(world.rank())));
    assertThat(thrown).hasSize(worldSize).allSatisfy(e -> assertThat(e).isNotNull());
    assertThat(folder.resolve("cut-off")).doesNotExist();
    return listeners;
  }

  @ParameterizedTest
  @CsvSource({
    "FP32, 2, 1",
    "FP32, 1, 2",
    "FP32, 2, 3",
    "FULL, 3, 2",
    "DROPOUT, 3, 1",
    "PATTERNS, 2, 3"
  })
  void atAnotherWorldSizeWithinRounding(ResumableRun run, int before, int after) throws Exception {
    List<RecordingListener> whole = train(run, before, "whole", CheckpointPlan.NONE);
    long step = 3;
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("checkpoints"));
    cut(run, before, step, checkpoints);
    List<RecordingListener> resumed = train(run, after, "resumed", checkpoints.every(1, step));
    List<StepMetrics> expected = whole.get(0).steps().subList((int) step, 6);
    List<StepMetrics> found = resumed.get(0).steps();
    assertThat(found).hasSameSizeAs(expected);
    for (int i = 0; i < found.size(); i++) {
      assertThat(Deviation.relative(found.get(i).loss(), expected.get(i).loss())).isLessThan(1e-5);
      assertThat(Deviation.relative(found.get(i).gradNorm(), expected.get(i).gradNorm()))
          .isLessThan(1e-4);
      assertThat(found.get(i).learningRate()).isEqualTo(expected.get(i).learningRate());
      assertThat(found.get(i).tokens()).isEqualTo(expected.get(i).tokens());
    }
    // the first loss has seen nothing of the resumed run's own rounding
    assertThat(Deviation.relative(found.get(0).loss(), expected.get(0).loss())).isLessThan(1e-6);
  }

  private List<RecordingListener> train(
      ResumableRun run, int worldSize, String output, CheckpointPlan checkpoints) throws Exception {
    List<RecordingListener> listeners = listeners(worldSize, RecordingListener::new);
    List<Throwable> thrown =
        GlooRanks.run(
            worldSize,
            world ->
                run.run(world, folder.resolve(output), checkpoints, listeners.get(world.rank())));
    assertThat(thrown).isEqualTo(Collections.nCopies(worldSize, null));
    return listeners;
  }

  private static List<RecordingListener> listeners(
      int worldSize, Supplier<RecordingListener> supplier) {
    return LongStream.range(0, worldSize).mapToObj(rank -> supplier.get()).toList();
  }

  /** Waits for every checkpoint in the step after it, and throws there at last. */
  private static final class Cut extends RecordingListener {
    private final long step;
    private final LocalCheckpoints checkpoints;

    Cut(long step, LocalCheckpoints checkpoints) {
      this.step = step;
      this.checkpoints = checkpoints;
    }

    @Override
    public boolean cancelled() {
      return checkpoints.cutAfter(step, steps().size());
    }

    @Override
    public void onEvaluation(long evaluated, double evalLoss) {
      super.onEvaluation(evaluated, evalLoss);
      if (evaluated == step) {
        checkpoints.awaitComplete(step);
        throw new IllegalStateException("cut off");
      }
    }
  }
}
