package dev.anneal.training.trainer;

/** Hears of a rank's progress; every rank has one, and calls come from the rank's own thread. */
public interface TrainingListener {

  /** Something long begins, e.g. {@code loading weights}. */
  void onPhase(String phase);

  /**
   * How far the phase is; told now and then, and at its end.
   *
   * @param doneBytes what this rank has read or made so far
   * @param totalBytes what it will have in the end
   */
  default void onProgress(String phase, long doneBytes, long totalBytes) {}

  /** An optimizer step is done. */
  void onStep(StepMetrics metrics);

  /** The held-out loss after {@code step} optimizer steps. */
  void onEvaluation(long step, double evalLoss);

  /** What the model generates greedily from a held-out prompt after {@code step} steps. */
  void onSample(long step, int sample, int[] promptIds, int[] generatedIds);

  /** Asked before every step: whether the run should stop with a {@link TrainingCancelled}. */
  boolean cancelled();
}
