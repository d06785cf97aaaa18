package dev.anneal.spark.preflight;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.config.AnnealConfig;
import java.util.OptionalInt;
import org.apache.spark.SparkConf;

/** Whether the cluster that Spark is configured for can run the barrier stage. */
public final class ClusterCheck {
  private ClusterCheck() {}

  /**
   * Checks that executors can start at all.
   *
   * @throws BadRequestException if not
   */
  static void checkExecutors(SparkConf conf) {
    Slots.neverFits(conf)
        .ifPresent(
            sentence -> {
              throw new BadRequestException(sentence);
            });
  }

  /**
   * Checks it.
   *
   * @throws BadRequestException if not
   */
  public static void check(AnnealConfig config, SparkConf conf) {
    checkExecutors(conf);
    if (conf.getBoolean("spark.dynamicAllocation.enabled", false)) {
      throw new BadRequestException(
          "spark.dynamicAllocation.enabled is true, but all nodes of a training run must stay:"
              + " add --conf spark.dynamicAllocation.enabled=false and set the number of"
              + " executors.");
    }
    if (Slots.master(conf).startsWith("spark://") && !conf.contains("spark.executor.cores")) {
      throw new BadRequestException(
          "spark.executor.cores is not set, so that %s may put two ranks into one executor: add --conf spark.executor.cores=<cores of a node>."
              .formatted(Slots.master(conf)));
    }
    int tasks = config.cluster().nodes();
    OptionalInt slots = Slots.of(conf);
    if (slots.isPresent() && slots.getAsInt() < tasks) {
      throw new BadRequestException(
          "cluster.nodes asks for %s barrier tasks at once, but Spark's master %s with this configuration has slots for %s: set cluster.nodes=%s or give Spark more executors."
              .formatted(tasks, Slots.master(conf), slots.getAsInt(), slots.getAsInt()));
    }
  }
}
