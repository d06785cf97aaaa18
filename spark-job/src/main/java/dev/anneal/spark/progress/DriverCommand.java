package dev.anneal.spark.progress;

/** What the driver answers a rank that tells it something. */
public enum DriverCommand {
  GO_ON,
  /** Take a checkpoint after the step under way, and leave. */
  LEAVE_WITH_CHECKPOINT,
  /** The attempt is over: whatever it still writes is read by nobody. */
  LEAVE
}
