package dev.anneal.spark.cluster;

import java.util.Optional;
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

  private static final String CORES = "spark.executor.cores";
  private static final int MAX = Integer.MAX_VALUE;

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
      return OptionalInt.of(executors(cluster, conf));
    }
    if (master.startsWith("yarn") || master.startsWith("k8s")) {
      // both start two executors when nobody says otherwise
      return OptionalInt.of(conf.getInt("spark.executor.instances", 2));
    }
    if (conf.contains("spark.cores.max") && conf.contains(CORES)) {
      return OptionalInt.of(conf.getInt("spark.cores.max", 0) / conf.getInt(CORES, 1));
    }
    return OptionalInt.empty();
  }

  private static int executors(Matcher cluster, SparkConf conf) {
    int workers = Integer.parseInt(cluster.group(1));
    int workerCores = Integer.parseInt(cluster.group(2));
    int cores = conf.getInt(CORES, workerCores);
    long memory = Math.max(1, conf.getSizeAsMb("spark.executor.memory", "1g"));
    // more memory than a worker has Spark itself refuses
    long byMemory = Math.max(1, Integer.parseInt(cluster.group(3)) / memory);
    long executors = workers * Math.min(workerCores / Math.max(1, cores), byMemory);
    return (int) Math.min(executors, conf.getInt("spark.cores.max", MAX) / Math.max(1, cores));
  }

  /** Why Spark would wait for ever for an executor, and say nothing; empty where it would not. */
  public static Optional<String> neverFits(SparkConf conf) {
    Matcher cluster = LOCAL_CLUSTER.matcher(master(conf));
    OptionalInt cores = executorCores(conf);
    if (cores.isEmpty() || !(cluster.matches() || master(conf).startsWith("spark://"))) {
      return Optional.empty();
    }
    if (cluster.matches() && cores.getAsInt() > Integer.parseInt(cluster.group(2))) {
      return Optional.of(
          "%s is %s, and a worker of Spark's master %s has %s, so that no executor would ever start: set it to %s at most."
              .formatted(
                  CORES, cores.getAsInt(), master(conf), cluster.group(2), cluster.group(2)));
    }
    int most = conf.getInt("spark.cores.max", MAX);
    return most < cores.getAsInt()
        ? Optional.of(
            "spark.cores.max is %s, and an executor takes %s cores (%s), so that none would ever start: raise the one or lower the other."
                .formatted(most, cores.getAsInt(), CORES))
        : Optional.empty();
  }

  /** Cores of an executor process; empty where the driver is the executor or nobody says. */
  public static OptionalInt executorCores(SparkConf conf) {
    Matcher cluster = LOCAL_CLUSTER.matcher(master(conf));
    if (cluster.matches()) {
      return OptionalInt.of(conf.getInt(CORES, Integer.parseInt(cluster.group(2))));
    }
    return isLocal(conf) || !conf.contains(CORES)
        ? OptionalInt.empty()
        : OptionalInt.of(conf.getInt(CORES, 1));
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
