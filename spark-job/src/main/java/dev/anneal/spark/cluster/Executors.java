package dev.anneal.spark.cluster;

import dev.anneal.spark.compat.ScalaCollections;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkContext$;
import org.apache.spark.status.api.v1.ExecutorSummary;

/** What Anneal does to executors. */
public final class Executors {
  private Executors() {}

  /** Ends an executor that hangs, and asks the cluster for another in its place. */
  public static void replace(SparkContext spark, String executor) {
    // private to Spark in Scala: its public way would also lower the number of executors
    spark.killAndReplaceExecutor(executor);
  }

  /** Ids of the executors that there are, without the driver. */
  public static Set<String> ids(SparkContext spark) {
    return ScalaCollections.list(spark.statusStore().executorList(true)).stream()
        .map(ExecutorSummary::id)
        .filter(id -> !id.equals(SparkContext$.MODULE$.DRIVER_IDENTIFIER()))
        .collect(Collectors.toSet());
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
