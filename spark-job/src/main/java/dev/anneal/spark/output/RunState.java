package dev.anneal.spark.output;

import java.util.Locale;

/** How far a run has come. */
public enum RunState {
  RUNNING,
  SUCCEEDED,
  FAILED;

  /** As {@code run.json} writes it. */
  public String jsonName() {
    return name().toLowerCase(Locale.ROOT);
  }
}
