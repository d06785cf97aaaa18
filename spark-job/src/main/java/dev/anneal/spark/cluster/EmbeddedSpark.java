package dev.anneal.spark.cluster;

import dev.anneal.spark.Request;

/** The Spark that {@code submit.sh} brings along: what it starts is for one run on this machine. */
final class EmbeddedSpark {
  /** Set by {@code submit.sh} where nobody has named a master. */
  static final String KEY = "spark.anneal.embedded";

  private static final int EXECUTOR_MEBIBYTES = 1024;

  private EmbeddedSpark() {}

  /**
   * A preparation needs no processes beside the driver's; training has one executor for one node,
   * else two, and they have the cores of the machine.
   *
   * @param cores of the machine
   */
  static String master(Request request, int cores) {
    if (!request.command().trains()) {
      return "local[*]";
    }
    int executors = Math.min(2, request.config().cluster().nodes());
    return "local-cluster[%d,%d,%d]"
        .formatted(executors, Math.max(1, cores / executors), EXECUTOR_MEBIBYTES);
  }
}
