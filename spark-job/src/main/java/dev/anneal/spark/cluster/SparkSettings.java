package dev.anneal.spark.cluster;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import org.apache.spark.SparkConf;

/** What Anneal sets of Spark's configuration, where the user has not set it. */
public final class SparkSettings {
  private static final int SLOT_CHECK_SECONDS = 5;
  private static final int SHORTEST_SILENCE_SECONDS = 20;
  private static final int LONGEST_SILENCE_SECONDS = 120;
  private static final int TASK_END_SECONDS = 60;
  private static final String FAILURES = "spark.executor.maxNumFailures";
  private static final String FAILURES_WITHIN = "spark.executor.failuresValidityInterval";

  /** More than attempts in vain can have; executors that end at once have it in a minute or two. */
  private static final int FAILURES_AN_EXECUTOR = 4;

  private SparkSettings() {}

  /** The configuration of the application. */
  public static SparkConf of(SparkConf given, Request request) {
    AnnealConfig config = request.config();
    int timeout = config.cluster().timeout();
    SparkConf conf = given.clone();
    conf.setIfMissing("spark.app.name", "Anneal");
    if (conf.getBoolean(EmbeddedSpark.OURS, false)) {
      EmbeddedSpark.settle(conf, request);
    }
    conf.setIfMissing("spark.master", "local[*]");
    // a rank that meets nobody must not wait for Spark's default of a year
    conf.setIfMissing("spark.barrier.sync.timeout", Integer.toString(timeout));
    conf.setIfMissing(
        "spark.scheduler.barrier.maxConcurrentTasksCheck.interval", SLOT_CHECK_SECONDS + "s");
    conf.setIfMissing(
        "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures",
        Integer.toString(Math.max(1, timeout / SLOT_CHECK_SECONDS)));
    // a process that is gone or hangs must not be waited for longer than its peers are
    int silence = Math.max(SHORTEST_SILENCE_SECONDS, Math.min(timeout, LONGEST_SILENCE_SECONDS));
    conf.setIfMissing("spark.network.timeout", silence + "s");
    conf.setIfMissing("spark.network.timeoutInterval", silence / 4 + "s");
    conf.setIfMissing("spark.executor.heartbeatInterval", Math.min(10, silence / 4) + "s");
    // a task that does not end when it is told to takes its process along
    conf.setIfMissing("spark.task.reaper.enabled", "true");
    conf.setIfMissing("spark.task.reaper.killTimeout", TASK_END_SECONDS + "s");
    if (!conf.contains("spark.executorEnv.LANG")) {
      // Java has no file names outside ASCII in a locale without such letters
      conf.setIfMissing("spark.executorEnv.LC_ALL", "C.UTF-8");
    }
    // a second copy of a slow rank would be a rank too many
    conf.set("spark.speculation", "false");
    limitFailures(conf, config.cluster());
    Slots.executorCores(conf).ifPresent(cores -> giveCores(conf, cores));
    if (config.cluster().gpusPerNode() > 0) {
      // the order of nvidia-smi, which Spark's resource discovery goes by
      conf.setIfMissing("spark.executorEnv.CUDA_DEVICE_ORDER", "PCI_BUS_ID");
      // what libtorch's deterministic algorithms ask of cuBLAS
      conf.setIfMissing("spark.executorEnv.CUBLAS_WORKSPACE_CONFIG", ":4096:8");
      // libtorch asks for huge pages, with which memory of the host is pinned faster
      conf.setIfMissing("spark.executorEnv.THP_MEM_ALLOC_ENABLE", "1");
    }
    return conf;
  }

  /**
   * Lets a rank compute with the cores of its executor. MKL's products use the threads of OpenMP,
   * as libtorch's own loops do. OpenBLAS has threads of its own, and both wait by spinning, so
   * where both have several, each takes the cores from the other: those of the products have them
   * all.
   */
  private static void giveCores(SparkConf conf, int cores) {
    boolean mkl = conf.getBoolean(EmbeddedSpark.MKL, false);
    conf.setIfMissing("spark.executorEnv.OMP_NUM_THREADS", Integer.toString(mkl ? cores : 1));
    if (mkl) {
      conf.setIfMissing("spark.executorEnv.MKL_THREADING_LAYER", "GNU");
      // the same digits in every run, wherever in memory a matrix lies
      conf.setIfMissing("spark.executorEnv.MKL_CBWR", "AUTO");
    } else {
      conf.setIfMissing("spark.executorEnv.OPENBLAS_NUM_THREADS", Integer.toString(cores));
    }
  }

  /**
   * YARN and Kubernetes end an application that has lost twice its executors, in a month as in a
   * minute; what decides here is {@code cluster.attempts}.
   */
  private static void limitFailures(SparkConf conf, AnnealConfig.Cluster cluster) {
    // contains, and not setIfMissing, knows the older names of YARN
    if (!conf.contains(FAILURES)) {
      int most = FAILURES_AN_EXECUTOR * cluster.nodes() * cluster.attempts();
      conf.set(FAILURES, Integer.toString(most));
    }
    if (!conf.contains(FAILURES_WITHIN)) {
      conf.set(FAILURES_WITHIN, "10m");
    }
  }
}
