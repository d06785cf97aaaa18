package dev.anneal.spark.faults;

/** Where a run writes. */
public interface Output {
  /** Its {@code output.path}. */
  String location();
}
