package dev.anneal.spark.job;

import dev.anneal.spark.cluster.ExecutorWait;
import dev.anneal.spark.cluster.Executors;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.config.AnnealConfig;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.apache.spark.SparkContext;

/** Executors that hung and were given up, and the wait for those that take their places. */
final class ReplacedExecutors {
  private final SparkContext spark;
  private final Consumer<String> display;
  private final Set<String> ids = new HashSet<>();

  ReplacedExecutors(SparkContext spark, Consumer<String> display) {
    this.spark = spark;
    this.display = display;
  }

  /** Those so far; the set grows. */
  Set<String> ids() {
    return ids;
  }

  void replace(String executor) {
    ids.add(executor);
    Executors.replace(spark, executor);
  }

  /**
   * Waits until there is one for every node. A replacement may take longer than an attempt would
   * wait for it, and that is no failure.
   *
   * @param goesOn asked whether there is still anything to wait for
   */
  void awaitOthers(AnnealConfig.Cluster cluster, BooleanSupplier goesOn)
      throws InterruptedException {
    if (Slots.isLocal(spark.conf())) {
      return;
    }
    new ExecutorWait(() -> Executors.ids(spark), ids)
        .until(
            cluster.nodes(),
            Duration.ofSeconds((long) cluster.attempts() * cluster.timeout()),
            goesOn,
            there ->
                display.accept(
                    "Waiting for executors: %s of %s are there ..."
                        .formatted(there, cluster.nodes())));
  }
}
