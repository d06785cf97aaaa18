package dev.anneal.training.trainer;

/** Hears how an evaluation goes on, from the rank's own thread, and may end it. */
public interface EvaluationListener extends PhaseListener {

  /**
   * So much is done; told after every pass.
   *
   * @param done sequences that this rank has measured
   * @param total those that it will have in the end
   */
  default void onSequences(long done, long total) {}
}
