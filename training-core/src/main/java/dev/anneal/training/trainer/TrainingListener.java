package dev.anneal.training.trainer;

import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.timing.Profile;
import java.util.List;

/** Hears of a rank's progress; every rank has one, and calls come from the rank's own thread. */
public interface TrainingListener extends PhaseListener {

  /** Something that may be of this rank alone and that somebody has to know; told on every rank. */
  default void onNotice(String sentence) {
    onPhase(sentence);
  }

  /**
   * The most memory that ranks have held, before the step in which one has held more is told of.
   *
   * @param bytes of each rank
   */
  default void onPeakMemory(List<Long> bytes) {}

  /** An optimizer step is done. */
  void onStep(StepMetrics metrics);

  /** The held-out loss after {@code step} optimizer steps. */
  void onEvaluation(long step, double evalLoss);

  /** All steps are done; told before the result is written, if the run was evaluated on its way. */
  default void onEnd(EvaluatedEnd end) {}

  /** What the model generates greedily from a held-out prompt after {@code step} steps. */
  void onSample(long step, int sample, int[] promptIds, int[] generatedIds);

  /** Rank 0 has written the result; names are relative to {@link TrainingRun.Inputs#output}. */
  default void onResult(List<WrittenFile> files) {}

  /** Asked once: of how many steps it wants a {@link Profile}. */
  default int profiledSteps() {
    return 0;
  }

  /** The steps that were asked for are done; told on every rank. */
  default void onProfile(Profile profile) {}

  /**
   * Asked in every step: whether the run should leave in good order. One rank is enough: all take a
   * checkpoint after the same step, if they take any, and leave with {@link TrainingStopped}.
   */
  default boolean stopRequested() {
    return false;
  }
}
