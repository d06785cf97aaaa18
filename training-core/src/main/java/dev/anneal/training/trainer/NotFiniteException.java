package dev.anneal.training.trainer;

import java.util.List;

/**
 * The loss or the gradient of a step is not finite. The same step gives the same again, so there is
 * no use in another attempt.
 */
public final class NotFiniteException extends TrainingException {
  private final long step;
  private final List<String> sequences;

  /**
   * @param step the step, counted from 1; of a held-out loss the steps before it
   * @param sequences those that it comes from; none of a held-out loss
   */
  public NotFiniteException(String message, long step, List<String> sequences) {
    super(message);
    this.step = step;
    this.sequences = List.copyOf(sequences);
  }

  /** The step, counted from 1; of a held-out loss the steps before it. */
  public long step() {
    return step;
  }

  /** The sequences of all ranks that it comes from; none of a held-out loss. */
  public List<String> sequences() {
    return sequences;
  }
}
