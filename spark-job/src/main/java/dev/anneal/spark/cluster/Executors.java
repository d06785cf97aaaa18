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

  /** How many executors there are, where the driver is none. */
  public static int count(SparkContext spark) {
    return spark.statusTracker().getExecutorInfos().length - 1;
  }

  /**
   * Whether the cluster takes an executor back (a spot notice, a drained node): it runs on until
   * its tasks are done or its time is over, and gets no new ones.
   */
  public static boolean isBeingDecommissioned(SparkContext spark, String executor) {
    // no listener is told of it
    return spark.taskScheduler().getExecutorDecommissionState(executor).isDefined();
  }
}
