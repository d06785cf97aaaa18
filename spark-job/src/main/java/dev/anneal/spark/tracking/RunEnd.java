package dev.anneal.spark.tracking;

/**
 * How a run has ended.
 *
 * @param error the first, in one masked sentence; {@code null} where there is none
 */
public record RunEnd(State state, String error) {

  /** In the words of everybody who keeps runs. */
  public enum State {
    SUCCEEDED,
    FAILED,
    /** Its process was told to end. */
    INTERRUPTED
  }
}
