package dev.anneal.spark.cluster;

import org.apache.spark.SparkContext;

/** What Anneal does to executors. */
public final class Executors {
  private Executors() {}

  /** Ends an executor that hangs, and asks the cluster for another in its place. */
  public static void replace(SparkContext spark, String executor) {
    // private to Spark in Scala: its public way would also lower the number of executors
    spark.killAndReplaceExecutor(executor);
  }
}
