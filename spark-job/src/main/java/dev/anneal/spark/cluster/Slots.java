package dev.anneal.spark.cluster;

import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.SparkConf;

/**
 * How many barrier tasks a cluster runs at once, as far as its configuration tells. A barrier task
 * takes a whole executor; with {@code local[N]} it takes one of the N threads.
 */
public final class Slots {
  private static final Pattern LOCAL = Pattern.compile("local(?:\\[(\\*|\\d+)(?:,\\s*\\d+)?])?");
  private static final Pattern LOCAL_CLUSTER =
      Pattern.compile("local-cluster\\[\\s*(\\d+)\\s*,\\s*(\\d+)\\s*,\\s*(\\d+)\\s*]");

  private Slots() {}

  /** The number of slots; empty where only the running cluster knows. */
  public static OptionalInt of(SparkConf conf) {
    String master = master(conf);
    Matcher local = LOCAL.matcher(master);
    if (local.matches()) {
      return OptionalInt.of(threads(local.group(1)));
    }
    Matcher cluster = LOCAL_CLUSTER.matcher(master);
    if (cluster.matches()) {
      return OptionalInt.of(Integer.parseInt(cluster.group(1)));
    }
    if (master.startsWith("yarn") || master.startsWith("k8s")) {
      // both start two executors when nobody says otherwise
      return OptionalInt.of(conf.getInt("spark.executor.instances", 2));
    }
    if (conf.contains("spark.cores.max") && conf.contains("spark.executor.cores")) {
      return OptionalInt.of(
          conf.getInt("spark.cores.max", 0) / conf.getInt("spark.executor.cores", 1));
    }
    return OptionalInt.empty();
  }

  /** Cores of an executor process; empty where the driver is the executor or nobody says. */
  public static OptionalInt executorCores(SparkConf conf) {
    Matcher cluster = LOCAL_CLUSTER.matcher(master(conf));
    if (cluster.matches()) {
      return OptionalInt.of(Integer.parseInt(cluster.group(2)));
    }
    return isLocal(conf) || !conf.contains("spark.executor.cores")
        ? OptionalInt.empty()
        : OptionalInt.of(conf.getInt("spark.executor.cores", 1));
  }

  /** Whether every process of the cluster runs on the driver's machine. */
  public static boolean isOneMachine(SparkConf conf) {
    return isLocal(conf) || LOCAL_CLUSTER.matcher(master(conf)).matches();
  }

  /** Whether the driver is the executor. */
  public static boolean isLocal(SparkConf conf) {
    return LOCAL.matcher(master(conf)).matches();
  }

  /** Spark's master. */
  public static String master(SparkConf conf) {
    return conf.get("spark.master", "local[*]");
  }

  private static int threads(String count) {
    if (count == null) {
      return 1;
    }
    return count.equals("*") ? Runtime.getRuntime().availableProcessors() : Integer.parseInt(count);
  }
}
