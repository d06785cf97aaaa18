package dev.anneal.spark.faults;

/** Where a run writes. */
interface Output {
  /** Its {@code output.path}. */
  String location();
}
