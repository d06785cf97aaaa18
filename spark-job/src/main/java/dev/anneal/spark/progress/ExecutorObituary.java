package dev.anneal.spark.progress;

/** Says why an executor has ended. */
@FunctionalInterface
public interface ExecutorObituary {
  /** The exit code of a process whose ranks hang and cannot be made to leave. */
  int HUNG = 70;

  /**
   * Why an executor has ended, as far as that can be told.
   *
   * @param host where it ran
   * @param text in one line
   */
  record Obituary(String host, String text, How how) {}

  /** How it has ended. */
  enum How {
    /** By an error of its own, which the next one may meet again. */
    BY_ITSELF,
    /** It was killed, or its connections are closed. */
    FROM_OUTSIDE,
    /** Nobody knows whether it has: Spark has given up what it heard nothing of. */
    UNHEARD
  }

  /**
   * Takes no longer than a few seconds.
   *
   * @param reason Spark's; may be {@code null}
   */
  Obituary of(String executor, String reason);
}
