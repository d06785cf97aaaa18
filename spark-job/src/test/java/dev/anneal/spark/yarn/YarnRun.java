package dev.anneal.spark.yarn;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.Await;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A run of the bundled model and rows on the cluster, with the settings of {@code deploy/yarn} but
 * for a node's size; everything it reads and writes lies on HDFS.
 *
 * @param output its folder there
 */
record YarnRun(YarnCluster cluster, SubmittedJob job, YarnApplication application, String output)
    implements AutoCloseable {
  static final int STEPS = 12;

  /** Where the driver runs. */
  enum Mode {
    CLIENT,
    CLUSTER,
    /**
     * The same with the configuration as a file of the application, in the place of its command.
     */
    CLUSTER_FILES
  }

  /** Processes that live for seconds spend most of their time on the second compiler. */
  private static final String SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

  private static final Duration PATIENCE = Duration.ofMinutes(10);
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));

  /**
   * Submits it; returns when YARN has it.
   *
   * @param name of its output folder, and by which YARN finds it
   * @param more options for {@code submit.sh}
   */
  static YarnRun start(YarnCluster cluster, Mode mode, String name, String... more)
      throws Exception {
    String output = cluster.hdfs().uri(name);
    SubmittedJob job = cluster.submit(name, words(cluster, mode, output, more));
    try {
      return new YarnRun(cluster, job, cluster.application(name, job), output);
    } catch (Exception | AssertionError e) {
      job.close();
      throw e;
    }
  }

  /** What {@code submit.sh} is called with. */
  static List<String> words(YarnCluster cluster, Mode mode, String output, String... more) {
    List<String> sets =
        List.of(
            "model.path=" + cluster.hdfs().uri("tiny/model"),
            "data.source=" + cluster.hdfs().uri("tiny/instructions.json"),
            "data.max_length=128",
            "data.packing=false",
            "data.eval_rows=0",
            "lora.r=4",
            "training.micro_batch_size=1",
            "training.max_steps=" + STEPS,
            "output.path=" + output);
    List<String> words = new ArrayList<>(List.of("run"));
    Path recipe = SubmittedJob.recipe();
    if (mode != Mode.CLIENT) {
      words.addAll(List.of("--deploy-mode", "cluster"));
    }
    if (mode == Mode.CLUSTER_FILES) {
      words.addAll(List.of("--files", recipe.toString()));
      words.addAll(List.of("--config", recipe.getFileName().toString()));
    } else {
      words.addAll(List.of("--config", recipe.toString()));
    }
    sets.forEach(set -> words.addAll(List.of("--set", set)));
    String defaults = HOME.resolve("deploy/yarn/spark.conf").toString();
    words.addAll(List.of("--properties-file", defaults, "--load-spark-defaults"));
    for (String setting :
        List.of(
            "spark.driver.memory=768m",
            "spark.executor.cores=1",
            "spark.executor.memory=640m",
            "spark.executor.memoryOverhead=384m",
            "spark.driver.extraJavaOptions=" + SHORT_LIVED,
            "spark.yarn.am.extraJavaOptions=" + SHORT_LIVED,
            "spark.executor.extraJavaOptions=" + SHORT_LIVED)) {
      words.addAll(List.of("--conf", setting));
    }
    words.addAll(List.of(more));
    return words;
  }

  /** Waits for its end, and asserts that {@code submit.sh} ends with this exit code. */
  void assertExit(int expected) throws Exception {
    int code = job.await(PATIENCE);
    if (code != expected) {
      throw new AssertionError("exit code %s, not %s:%n%s".formatted(code, expected, said()));
    }
  }

  /** Waits until some checkpoint is complete, and the run is not over. */
  void awaitCheckpoint() throws Exception {
    String manifests = output + "/checkpoints/*/manifest.json";
    Await.until(
        PATIENCE,
        this::said,
        () -> !job.isRunning() || !cluster.hdfs().storage().list(manifests).isEmpty());
    if (!job.isRunning()) {
      throw new AssertionError("it ended before anything could happen to it: " + said());
    }
  }

  /** What the driver has said: to whoever submitted it, or in its container. */
  String said() throws Exception {
    return job.out() + job.err() + cluster.logs(application);
  }

  @Override
  public void close() {
    job.close();
  }
}
