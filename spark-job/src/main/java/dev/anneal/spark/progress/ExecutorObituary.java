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
   * @param byItself whether it has ended by an error of its own, which the next one may meet again,
   *     and not because it was killed or its node is gone
   */
  record Obituary(String host, String text, boolean byItself) {}

  /**
   * Takes no longer than a few seconds.
   *
   * @param reason Spark's; may be {@code null}
   */
  Obituary of(String executor, String reason);
}
