package dev.anneal.training.trainer;

/** Hears of what takes a rank long, from the rank's own thread, and may end it. */
public interface PhaseListener {

  /** Something long begins, e.g. {@code loading weights}. */
  void onPhase(String phase);

  /**
   * How far the phase is; told now and then, and at its end.
   *
   * @param doneBytes what this rank has read or made so far
   * @param totalBytes what it will have in the end
   */
  default void onProgress(String phase, long doneBytes, long totalBytes) {}

  /** Asked before every step: whether the rank should stop with a {@link TrainingCancelled}. */
  boolean cancelled();
}
