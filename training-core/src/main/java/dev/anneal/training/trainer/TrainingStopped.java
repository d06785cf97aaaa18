package dev.anneal.training.trainer;

/**
 * The run was asked to leave: it has done so after a step, with a checkpoint where it takes any.
 */
public final class TrainingStopped extends RuntimeException {
  private final long step;

  public TrainingStopped(long step) {
    super("training was told to leave after step " + step);
    this.step = step;
  }

  /** Optimizer steps done. */
  public long step() {
    return step;
  }
}
