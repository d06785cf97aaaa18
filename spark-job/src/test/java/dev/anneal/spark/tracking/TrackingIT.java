package dev.anneal.spark.tracking;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.ServerProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A run that is killed on the way and goes on, kept by MLflow's own server, with its passwords on,
 * and read back with MLflow's own client.
 */
@Tag("tracking")
class TrackingIT {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int STEPS = 60;
  private static final int KILLED_AFTER = 25;

  private static final String PASSWORD = "of-this-test-alone";
  private static final Map<String, String> LOGIN =
      Map.of("MLFLOW_TRACKING_USERNAME", "admin", "MLFLOW_TRACKING_PASSWORD", PASSWORD);

  @TempDir Path dir;
  private final List<Process> started = new ArrayList<>();

  @AfterEach
  void end() {
    for (Process process : started) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly();
    }
  }

  @Test
  void curvesHaveNoGapAndNoDoublePointThroughAKill() throws Exception {
    String server = startServer(LOGIN);
    String[] sets = {
      "output.path=" + dir.resolve("out"),
      "training.max_steps=" + STEPS,
      "checkpoint.every_steps=10",
      "tracking.mlflow_uri=" + server,
      "tracking.mlflow_experiment=kept",
      "tracking.mlflow_registered_model=tiny-tuned",
      "tracking.tensorboard=true"
    };
    Process first = train("first.txt", LOGIN, sets);
    awaitLines(first, KILLED_AFTER);
    first.destroyForcibly().waitFor();
    Process second = train("second.txt", LOGIN, sets);
    assertThat(second.waitFor(15, TimeUnit.MINUTES)).isTrue();
    assertThat(second.exitValue()).as(said("second.txt")).isZero();
    assertThat(said("second.txt")).contains("Going on after step");

    JsonNode kept =
        Python.script(
            "read_mlflow.py",
            with(LOGIN, "MLFLOW_TRACKING_URI", server),
            "kept",
            "tiny-tuned",
            dir.resolve("download").toString());
    assertThat(kept.path("runs")).as(kept.toPrettyString()).hasSize(1);
    JsonNode run = kept.path("runs").get(0);
    assertThat(run.path("status").asText()).isEqualTo("FINISHED");
    assertThat(run.path("name").asText()).isEqualTo("out");
    for (String metric : List.of("loss", "learning_rate", "grad_norm", "tokens_per_second")) {
      assertThat(steps(run, metric))
          .as(metric)
          .isEqualTo(LongStream.rangeClosed(1, STEPS).boxed().toList());
    }
    assertThat(steps(run, "eval_loss")).containsExactly(0L, (long) STEPS);
    assertThat(values(run, "loss")).isEqualTo(losses());
    assertThat(run.at("/params/lora.r").asText()).isEqualTo("16");
    assertThat(run.path("tags").path("mlflow.user").asText()).isNotEmpty();
    assertThat(kept.path("versions").get(0).get(1)).isEqualTo(run.path("id"));
    assertThat(kept.path("adapter").toString())
        .contains("adapter_config.json", "adapter_model.safetensors");
    assertInTensorBoard();
  }

  @Test
  void aWorkspaceOfDatabricksIsFoundAndAskedAsMlflowsOwnClientDoes() throws Exception {
    String experiment = "/Users/ann@example.com/tuned";
    try (Workspace workspace = new Workspace(startServer(Map.of()))) {
      Map<String, String> variables =
          Map.of("DATABRICKS_HOST", workspace.host(), "DATABRICKS_TOKEN", Workspace.TOKEN);
      Process run =
          train(
              "run.txt",
              variables,
              "output.path=" + dir.resolve("out"),
              "training.max_steps=5",
              "tracking.mlflow_uri=databricks",
              "tracking.mlflow_experiment=" + experiment);
      assertThat(run.waitFor(15, TimeUnit.MINUTES)).isTrue();
      assertThat(run.exitValue()).as(said("run.txt")).isZero();
      assertThat(said("run.txt"))
          .contains("MLflow: " + workspace.host() + "/ml/experiments/")
          .contains("MLflow will not get the result: nothing can be written to dbfs:/databricks/")
          .doesNotContain(Workspace.TOKEN);
      Set<String> ours = workspace.asked();
      JsonNode read = Python.script("read_databricks.py", variables, experiment);
      JsonNode kept = read.path("runs").get(0);
      assertThat(read.path("runs")).as(read.toPrettyString()).hasSize(1);
      assertThat(kept.path("status").asText()).isEqualTo("FINISHED");
      assertThat(kept.at("/params/lora.r").asText()).isEqualTo("16");
      List<Double> values = new ArrayList<>();
      kept.path("losses").forEach(point -> values.add(point.get(1).asDouble()));
      assertThat(values).isEqualTo(losses());
      assertThat(workspace.asked())
          .as("what MLflow's own client asks a workspace for")
          .containsAll(ours);
    }
  }

  private void assertInTensorBoard() throws Exception {
    JsonNode read =
        Python.script("read_tensorboard.py", Map.of(), dir.resolve("out/tensorboard").toString());
    assertThat(read.path("files")).hasSize(1);
    List<Double> losses = new ArrayList<>();
    List<Long> steps = new ArrayList<>();
    List<Double> times = new ArrayList<>();
    for (JsonNode point : read.path("scalars").path("loss")) {
      steps.add(point.get(0).asLong());
      losses.add(point.get(1).asDouble());
      times.add(point.get(2).asDouble());
    }
    assertThat(steps).isEqualTo(LongStream.rangeClosed(1, STEPS).boxed().toList());
    // its numbers have 32 bits
    assertThat(losses).isEqualTo(losses().stream().map(x -> (double) x.floatValue()).toList());
    assertThat(times).isSorted().doesNotHaveDuplicates();
    assertThat(read.path("scalars").path("eval_loss")).hasSize(2);
    assertThat(read.path("configuration").asText()).contains("| lora.r | 16 |");
  }

  /**
   * Starts a server.
   *
   * @param login that it asks for; none: it asks nobody
   */
  private String startServer(Map<String, String> login) throws Exception {
    int port = ServerProcess.freePort();
    Path mlflow = Files.createDirectory(dir.resolve("mlflow"));
    List<String> command =
        new ArrayList<>(
            List.of(
                Python.bin().resolve("mlflow").toString(),
                "server",
                "--host=127.0.0.1",
                "--port=" + port,
                "--workers=1",
                "--backend-store-uri=sqlite:///" + mlflow.resolve("mlflow.db"),
                "--artifacts-destination=" + mlflow.resolve("artifacts")));
    if (!login.isEmpty()) {
      command.add("--app-name=basic-auth");
    }
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("MLFLOW_FLASK_SERVER_SECRET_KEY", "of-a-test");
    builder.environment().put("MLFLOW_AUTH_ADMIN_PASSWORD", PASSWORD);
    builder.directory(mlflow.toFile());
    builder.redirectErrorStream(true).redirectOutput(dir.resolve("server.txt").toFile());
    Process process = builder.start();
    started.add(process);
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(15);
    while (!listens(port)) {
      assertThat(process.isAlive() && System.nanoTime() < deadline).as(said("server.txt")).isTrue();
      Thread.sleep(200);
    }
    return "http://127.0.0.1:" + port;
  }

  private static boolean listens(int port) {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  private Process train(String log, Map<String, String> variables, String... sets)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin/java").toString());
    // what Spark asks for of a JVM, as this one has it
    command.addAll(
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
            .filter(arg -> arg.startsWith("--add-opens") || arg.startsWith("-Xmx"))
            .toList());
    command.add("-Danneal.home=" + System.getProperty("anneal.home"));
    command.add("-cp");
    command.add(
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
    command.add(TrackedProcess.class.getName());
    command.addAll(List.of(sets));
    ProcessBuilder builder = new ProcessBuilder(command);
    // as submit.sh has it: threads of OpenMP that wait for each other take all of a busy machine
    builder.environment().put("OMP_NUM_THREADS", "1");
    builder.environment().putAll(variables);
    builder.redirectErrorStream(true).redirectOutput(dir.resolve(log).toFile());
    Process process = builder.start();
    started.add(process);
    return process;
  }

  private void awaitLines(Process process, int lines) throws Exception {
    Path metrics = dir.resolve("out/metrics.jsonl");
    while (!Files.exists(metrics) || count(metrics) < lines) {
      assertThat(process.isAlive()).as(said("first.txt")).isTrue();
      Thread.sleep(20);
    }
  }

  private static long count(Path file) throws IOException {
    try (Stream<String> lines = Files.lines(file)) {
      return lines.count();
    } catch (UncheckedIOException e) {
      return 0;
    }
  }

  private String said(String log) throws IOException {
    return Files.readString(dir.resolve(log));
  }

  private List<Double> losses() throws IOException {
    List<Double> losses = new ArrayList<>();
    for (String line : Files.readAllLines(dir.resolve("out/metrics.jsonl"))) {
      JsonNode json = JSON.readTree(line);
      if (json.has("loss")) {
        losses.add(json.path("loss").asDouble());
      }
    }
    return losses;
  }

  private static List<Long> steps(JsonNode run, String metric) {
    List<Long> steps = new ArrayList<>();
    run.path("metrics").path(metric).forEach(point -> steps.add(point.get(0).asLong()));
    steps.sort(null);
    return steps;
  }

  private static List<Double> values(JsonNode run, String metric) {
    List<JsonNode> points = new ArrayList<>();
    run.path("metrics").path(metric).forEach(points::add);
    points.sort((a, b) -> Long.compare(a.get(0).asLong(), b.get(0).asLong()));
    return points.stream().map(point -> point.get(1).asDouble()).toList();
  }

  private static Map<String, String> with(Map<String, String> map, String key, String value) {
    Map<String, String> all = new HashMap<>(map);
    all.put(key, value);
    return all;
  }
}
