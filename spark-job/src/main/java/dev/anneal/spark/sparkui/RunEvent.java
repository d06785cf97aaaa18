package dev.anneal.spark.sparkui;

import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.util.kvstore.KVIndex;

/**
 * A run as it was at one moment, for the event log; a later one of the same run stands for all
 * before. Whoever reads an event log without this class passes it over. Spark's Jackson writes and
 * reads it, so it has no annotations of ours, and fields that can be set.
 */
public final class RunEvent implements SparkListenerEvent {
  @KVIndex private String run;
  private String snapshot;

  /** For Jackson. */
  @SuppressWarnings("unused")
  private RunEvent() {}

  RunEvent(String run, String snapshot) {
    this.run = run;
    this.snapshot = snapshot;
  }

  /** Its name; those of later runs come behind it. */
  public String getRun() {
    return run;
  }

  /** See {@link dev.anneal.spark.report.RunSnapshot}. */
  public String getSnapshot() {
    return snapshot;
  }
}
