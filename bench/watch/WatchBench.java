import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpServer;
import dev.anneal.spark.Anneal;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;
import java.util.stream.DoubleStream;
import org.apache.spark.sql.SparkSession;

/** See bench/watch/run. Arguments: recipe, a folder, blocks, steps of a block, the agent's jar. */
final class WatchBench {
  private static final Pattern WATCHERS =
      Pattern.compile(
          "report|last report|metrics|anneal-(MLflow|TensorBoard|output)"
              + "|spark-listener-group-eventLog|dispatcher-anneal-.*");

  /** Of a block, while what the one before has left to do is done: MLflow is told every 5 s. */
  private static final double LEFT_OUT = 0.2;

  private static final List<String> KINDS =
      List.of("telling of the step", "times of the step", "peak memory");

  /** A step of 8B in FP8 on an H200, of which a watcher may have 0.5%. */
  private static final double GPU_STEP_MILLIS = 164;

  private static final long SCRAPE_MILLIS = 15_000;

  /** Whatever it is asked for: a part of it is the answer. */
  private static final byte[] ANSWER =
      """
      {"experiment": {"experiment_id": "0", "lifecycle_stage": "active"}, "experiment_id": "0",
       "run": {"info": {"run_id": "1", "experiment_id": "0", "status": "RUNNING",
         "artifact_uri": "mlflow-artifacts:/1"}, "data": {}}}
      """
          .getBytes(UTF_8);

  private final Path folder;
  private final int blocks;
  private final int blockSteps;
  private final Map<String, Double> cpuMillis = new ConcurrentHashMap<>();

  /** What was measured of a block. */
  private record Block(boolean watched, double[] stepMillis, double[][] threadMillis) {
    double median() {
      return quantile(stepMillis, 0.5);
    }

    double mean() {
      return Arrays.stream(stepMillis).average().orElseThrow();
    }
  }

  private WatchBench(Path folder, int blocks, int blockSteps) {
    this.folder = folder;
    this.blocks = blocks;
    this.blockSteps = blockSteps;
  }

  public static void main(String[] args) throws Exception {
    WatchBench bench =
        new WatchBench(Path.of(args[1]), Integer.parseInt(args[2]), Integer.parseInt(args[3]));
    bench.train(args[0], args[4]);
    bench.tell();
    System.exit(0);
  }

  private void train(String recipe, String agent) throws Exception {
    HttpServer mlflow =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    mlflow.setExecutor(Executors.newCachedThreadPool());
    mlflow.createContext(
        "/",
        exchange -> {
          exchange.getRequestBody().readAllBytes();
          exchange.sendResponseHeaders(200, ANSWER.length);
          exchange.getResponseBody().write(ANSWER);
          exchange.close();
        });
    mlflow.start();
    Map<String, Object> config = new HashMap<>();
    config.put("output.path", folder.resolve("out").toString());
    config.put("training.max_steps", blocks * blockSteps);
    config.put("cluster.nodes", 1);
    config.put("evaluation.sample_rows", 0);
    config.put("tracking.tensorboard", true);
    config.put("tracking.mlflow_uri", "http://127.0.0.1:" + mlflow.getAddress().getPort());
    config.put("tracking.mlflow_artifacts", false);
    Path events = Files.createDirectories(folder.resolve("events"));
    String prometheus = "spark.metrics.conf.*.sink.prometheusServlet.";
    try (SparkSession spark =
        SparkSession.builder()
            .master("local-cluster[1,1,1536]")
            .config("spark.executor.memory", "1536m")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .config(
                "spark.executor.extraJavaOptions",
                "-javaagent:%s=%s,%s".formatted(agent, folder, blockSteps))
            .config("spark.executorEnv.OMP_NUM_THREADS", "1")
            .config("spark.executorEnv.OPENBLAS_NUM_THREADS", "1")
            .config("spark.ui.port", 0)
            .config("spark.eventLog.enabled", true)
            .config("spark.eventLog.dir", events.toUri().toString())
            .config(prometheus + "class", "org.apache.spark.metrics.sink.PrometheusServlet")
            .config(prometheus + "path", "/metrics/prometheus")
            .getOrCreate()) {
      String pages = spark.sparkContext().uiWebUrl().get();
      Thread sampler = daemon(this::sample);
      Thread scraper = daemon(() -> scrape(pages));
      Anneal.on(spark).printTo(new PrintWriter(Writer.nullWriter())).run(recipe, config);
      sampler.interrupt();
      scraper.interrupt();
      sampler.join();
    }
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "bench");
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  /** Threads come and go: of each what it had last. */
  private void sample() {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    while (pause(50)) {
      for (long id : threads.getAllThreadIds()) {
        ThreadInfo thread = threads.getThreadInfo(id);
        long nanos = threads.getThreadCpuTime(id);
        if (thread != null && nanos >= 0 && WATCHERS.matcher(thread.getThreadName()).matches()) {
          cpuMillis.put(id + " " + thread.getThreadName(), nanos / 1e6);
        }
      }
    }
  }

  /** Somebody who looks at Spark's page of the run and at its metrics, as a Prometheus does. */
  private void scrape(String pages) {
    while (pause(SCRAPE_MILLIS)) {
      try {
        if (StepClock.isWatched(folder)) {
          read(pages + "/metrics/prometheus");
          read(pages + "/anneal/");
        }
      } catch (IOException e) {
        System.err.println(e);
      }
    }
  }

  private static void read(String page) throws IOException {
    URI.create(page).toURL().openStream().readAllBytes();
  }

  private static boolean pause(long millis) {
    try {
      Thread.sleep(millis);
      return true;
    } catch (InterruptedException e) {
      return false;
    }
  }

  private List<Block> blocks() throws IOException {
    List<long[]> steps = new ArrayList<>();
    for (String line : Files.readAllLines(folder.resolve("steps.csv"))) {
      steps.add(Arrays.stream(line.split(",")).mapToLong(Long::parseLong).toArray());
    }
    List<Block> all = new ArrayList<>();
    for (int b = 0; b < blocks; b++) {
      int first = b * blockSteps + Math.max(1, (int) (LEFT_OUT * blockSteps));
      int end = (b + 1) * blockSteps;
      double[] millis = new double[end - first];
      double[][] kinds = new double[KINDS.size()][end - first];
      for (int i = first; i < end; i++) {
        millis[i - first] = (steps.get(i)[0] - steps.get(i - 1)[0]) / 1e6;
        for (int kind = 0; kind < KINDS.size(); kind++) {
          kinds[kind][i - first] = (steps.get(i)[kind + 1] - steps.get(i - 1)[kind + 1]) / 1e6;
        }
      }
      all.add(new Block(b % 2 == 0, millis, kinds));
    }
    return all;
  }

  private void tell() throws IOException {
    List<Block> all = blocks();
    List<Double> medians = new ArrayList<>();
    List<Double> means = new ArrayList<>();
    for (int b = 0; b < blocks; b++) {
      Block block = all.get(b);
      say(
          "block %2d %-9s a step: median %.2f ms, mean %.2f, middle half %.2f to %.2f",
          b + 1,
          block.watched ? "watched" : "unwatched",
          block.median(),
          block.mean(),
          quantile(block.stepMillis, 0.25),
          quantile(block.stepMillis, 0.75));
      if (!block.watched && b + 1 < blocks) {
        // its neighbours on both sides, so that a machine that becomes slower counts for neither
        Block before = all.get(b - 1);
        Block after = all.get(b + 1);
        medians.add((before.median() + after.median()) / 2 / block.median() - 1);
        means.add((before.mean() + after.mean()) / 2 / block.mean() - 1);
      }
    }
    say("watched beside unwatched, each block beside its two neighbours:");
    shares("medians", medians);
    shares("means", means);
    double step = quantile(steps(all, true), 0.5);
    say(
        "all blocks: median %.2f ms watched and %.2f not, mean %.2f and %.2f",
        step,
        quantile(steps(all, false), 0.5),
        Arrays.stream(steps(all, true)).average().orElseThrow(),
        Arrays.stream(steps(all, false)).average().orElseThrow());
    say("of a watched step the training thread itself spends, in ms:");
    double[] sum = new double[steps(all, true).length];
    for (int kind = 0; kind < KINDS.size(); kind++) {
      double[] one = thread(all, kind);
      Arrays.setAll(sum, i -> sum[i] + one[i]);
      thread(KINDS.get(kind), one);
    }
    thread("together", sum);
    cpu(step);
  }

  private static void thread(String name, double[] millis) {
    double mean = Arrays.stream(millis).average().orElseThrow();
    say(
        "  %-22s median %.4f, mean %.4f, 99%% below %.4f, most %.3f; the mean is %.4f%% of %.0f ms",
        name,
        quantile(millis, 0.5),
        mean,
        quantile(millis, 0.99),
        quantile(millis, 1),
        100 * mean / GPU_STEP_MILLIS,
        GPU_STEP_MILLIS);
  }

  private void cpu(double step) {
    Map<String, Double> threads = new TreeMap<>();
    cpuMillis.forEach(
        (thread, millis) ->
            threads.merge(
                thread.substring(thread.indexOf(' ') + 1).replaceFirst("-anneal-.*", "-ranks"),
                millis,
                Double::sum));
    int watched = (blocks + 1) / 2 * blockSteps;
    say("threads of the driver, in ms of CPU a watched step:");
    threads.forEach((thread, millis) -> say("  %-32s %.4f", thread, millis / watched));
    double all = threads.values().stream().mapToDouble(Double::doubleValue).sum() / watched;
    say("  %-32s %.4f, %.2f%% of a step of %.0f ms", "all of them", all, 100 * all / step, step);
  }

  private static void shares(String name, List<Double> shares) {
    double[] all = shares.stream().mapToDouble(share -> 100 * share).toArray();
    say(
        "  %-8s %+.2f%% in the middle, from %+.2f%% to %+.2f%%",
        name, quantile(all, 0.5), quantile(all, 0), quantile(all, 1));
  }

  private static double[] steps(List<Block> blocks, boolean watched) {
    return blocks.stream()
        .filter(block -> block.watched == watched)
        .flatMapToDouble(block -> DoubleStream.of(block.stepMillis))
        .toArray();
  }

  private static double[] thread(List<Block> blocks, int kind) {
    return blocks.stream()
        .filter(Block::watched)
        .flatMapToDouble(block -> DoubleStream.of(block.threadMillis[kind]))
        .toArray();
  }

  private static double quantile(double[] values, double share) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    double at = share * (sorted.length - 1);
    int below = (int) at;
    double rest = at - below;
    return rest == 0 ? sorted[below] : (1 - rest) * sorted[below] + rest * sorted[below + 1];
  }

  private static void say(String format, Object... values) {
    System.out.println(String.format(Locale.ROOT, format, values));
  }
}
