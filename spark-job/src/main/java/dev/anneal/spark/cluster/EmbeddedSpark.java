package dev.anneal.spark.cluster;

import dev.anneal.spark.Request;
import java.security.SecureRandom;
import java.util.HexFormat;
import org.apache.spark.SparkConf;

/** The Spark that {@code submit.sh} brings along: what it starts is for one run on this machine. */
final class EmbeddedSpark {
  /** Set by {@code submit.sh} where there is no {@code SPARK_HOME}. */
  static final String OURS = "spark.anneal.ours";

  /** Set by {@code submit.sh} where, in addition, nobody has named a master. */
  static final String KEY = "spark.anneal.embedded";

  /** Set by {@code submit.sh} where executors have MKL in the place of OpenBLAS. */
  static final String MKL = "spark.anneal.mkl";

  private static final int EXECUTOR_MEBIBYTES = 1024;
  private static final int SECRET_BYTES = 32;

  private EmbeddedSpark() {}

  /** Where it runs, and that nobody else on this machine takes part in it or ends it. */
  static void settle(SparkConf conf, Request request) {
    if (conf.getBoolean(KEY, false)) {
      conf.set("spark.master", master(request, Runtime.getRuntime().availableProcessors()));
    }
    // a cluster that somebody else has started knows no secret of ours
    if (Slots.isOneMachine(conf)) {
      close(conf);
    }
  }

  private static void close(SparkConf conf) {
    byte[] secret = new byte[SECRET_BYTES];
    new SecureRandom().nextBytes(secret);
    conf.set("spark.authenticate", "true");
    conf.set("spark.authenticate.secret", HexFormat.of().formatHex(secret));
    // the pages of its master and workers cannot be left out, and would ask nobody for a name
    conf.set("spark.ui.killEnabled", "false");
    conf.set("spark.ui.filters", NoPages.class.getName());
  }

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
    return "local-cluster[%s,%s,%s]"
        .formatted(executors, Math.max(1, cores / executors), EXECUTOR_MEBIBYTES);
  }
}
