import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;
import org.apache.spark.sql.SparkSession;

/** See bench/watch/run. Arguments: recipe, a folder, steps, rounds. */
final class WatchBench {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int WARM_UP = 20;

  private static final Pattern WATCHERS =
      Pattern.compile(
          "report|last report|metrics|anneal-(MLflow|TensorBoard|output)"
              + "|spark-listener-group-eventLog");

  /** Whatever it is asked for: a part of it is the answer. */
  private static final byte[] ANSWER =
      """
      {"experiment": {"experiment_id": "0", "lifecycle_stage": "active"}, "experiment_id": "0",
       "run": {"info": {"run_id": "1", "experiment_id": "0", "status": "RUNNING",
         "artifact_uri": "mlflow-artifacts:/1"}, "data": {}}}
      """
          .getBytes(UTF_8);

  private final Path recipe;
  private final Path folder;
  private final int steps;
  private final Map<String, Double> cpuMillis = new TreeMap<>();
  private int runs;

  private WatchBench(Path recipe, Path folder, int steps) {
    this.recipe = recipe;
    this.folder = folder;
    this.steps = steps;
  }

  public static void main(String[] args) throws Exception {
    WatchBench bench =
        new WatchBench(Path.of(args[0]), Path.of(args[1]), Integer.parseInt(args[2]));
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
    String uri = "http://127.0.0.1:" + mlflow.getAddress().getPort();
    List<Double> ratios = new ArrayList<>();
    double watched = 0;
    bench.meanMillis(null);
    bench.cpuMillis.clear();
    for (int round = 0; round < Integer.parseInt(args[3]); round++) {
      boolean onFirst = round % 2 == 0;
      double one = bench.meanMillis(onFirst ? uri : null);
      double other = bench.meanMillis(onFirst ? null : uri);
      double on = onFirst ? one : other;
      double off = onFirst ? other : one;
      ratios.add(on / off);
      watched += on;
      System.out.printf(
          Locale.ROOT, "a step: %.2f ms watched, %.2f ms not, ratio %.4f%n", on, off, on / off);
    }
    Collections.sort(ratios);
    System.out.printf(
        Locale.ROOT,
        "median of the ratios %.4f, from %.4f to %.4f%n",
        ratios.get(ratios.size() / 2),
        ratios.get(0),
        ratios.get(ratios.size() - 1));
    double total = 0;
    double step = watched / ratios.size();
    for (Map.Entry<String, Double> thread : bench.cpuMillis.entrySet()) {
      double each = thread.getValue() / (ratios.size() * bench.steps);
      total += each;
      System.out.printf(
          Locale.ROOT, "%-32s %.4f ms of CPU a watched step%n", thread.getKey(), each);
    }
    System.out.printf(
        Locale.ROOT,
        "%-32s %.4f ms of CPU a watched step of %.0f ms, %.2f%%%n",
        "all of them",
        total,
        step,
        100 * total / step);
    System.exit(0);
  }

  /** Trains once in a session of its own; what a step takes on average, without the first. */
  private double meanMillis(String mlflow) throws Exception {
    boolean watched = mlflow != null;
    Path output = folder.resolve("out-" + runs++);
    Path events = Files.createDirectories(folder.resolve("events"));
    Map<String, Object> config = new HashMap<>();
    config.put("output.path", output.toString());
    config.put("training.max_steps", steps);
    config.put("cluster.nodes", 1);
    config.put("evaluation.sample_rows", 0);
    config.put("tracking.tensorboard", watched);
    config.put("tracking.mlflow_uri", watched ? mlflow : "none");
    config.put("tracking.mlflow_artifacts", false);
    Map<String, Double> threads = new ConcurrentHashMap<>();
    Thread sampler = new Thread(() -> sample(threads));
    sampler.setDaemon(true);
    try (SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.ui.enabled", watched)
            .config("spark.ui.port", 0)
            .config("spark.eventLog.enabled", watched)
            .config("spark.eventLog.dir", events.toUri().toString())
            .getOrCreate()) {
      sampler.start();
      Anneal.on(spark).printTo(new PrintWriter(Writer.nullWriter())).run(recipe.toString(), config);
    } finally {
      sampler.interrupt();
      sampler.join();
    }
    if (watched) {
      threads.forEach(
          (thread, millis) ->
              cpuMillis.merge(thread.substring(thread.indexOf(' ') + 1), millis, Double::sum));
    }
    return mean(output);
  }

  /** Threads come and go: of each what it had last. */
  private static void sample(Map<String, Double> cpuMillis) {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    while (!Thread.currentThread().isInterrupted()) {
      for (long id : threads.getAllThreadIds()) {
        ThreadInfo thread = threads.getThreadInfo(id);
        long nanos = threads.getThreadCpuTime(id);
        if (thread != null && nanos >= 0 && WATCHERS.matcher(thread.getThreadName()).matches()) {
          cpuMillis.put(id + " " + thread.getThreadName(), nanos / 1e6);
        }
      }
      try {
        Thread.sleep(20);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private static double mean(Path output) throws IOException {
    List<Double> millis = new ArrayList<>();
    for (String line : Files.readAllLines(output.resolve("metrics.jsonl"))) {
      JsonNode step = JSON.readTree(line);
      if (step.path("tokens_per_second").asDouble() > 0 && step.path("step").asInt() > WARM_UP) {
        millis.add(
            1000 * step.path("tokens").asDouble() / step.path("tokens_per_second").asDouble());
      }
    }
    return millis.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
  }
}
