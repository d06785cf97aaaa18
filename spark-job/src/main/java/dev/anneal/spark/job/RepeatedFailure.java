package dev.anneal.spark.job;

import dev.anneal.spark.job.TrainingAttempt.End;

/** Whether attempts fail for the same cause, one after the other, before they have made a step. */
final class RepeatedFailure {
  private String last;

  /**
   * Takes the end of an attempt down; whether it is that of the attempt before.
   *
   * @param stepped whether the attempt has made a step
   */
  boolean is(End end, boolean stepped) {
    String cause =
        stepped || !(end instanceof End.Failed failed)
            ? null
            : failed.repeatable().map(RepeatedFailure::withoutNumbers).orElse(null);
    boolean repeated = cause != null && cause.equals(last);
    last = cause;
    return repeated;
  }

  // numbers of processes, ports and addresses differ where the cause does not
  private static String withoutNumbers(String cause) {
    return cause.replaceAll("\\d+", "#");
  }
}
