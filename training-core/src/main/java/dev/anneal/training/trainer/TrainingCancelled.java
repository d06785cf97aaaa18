package dev.anneal.training.trainer;

/** The run was asked to stop between two steps. */
public final class TrainingCancelled extends RuntimeException {
  public TrainingCancelled(long step) {
    super("training was cancelled after step " + step);
  }
}
