package dev.anneal.spark.tracking.mlflow;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * What a tracking server does of MLflow's REST interface, as far as a run asks for it: it takes a
 * point as often as it is told, and keeps its limits on sizes. It breaks what tests want broken.
 */
public final class MlflowDouble implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int MOST_METRICS = 1000;
  private static final int MOST_PARAMETERS = 100;

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final HttpServer server;
  private final Map<String, String> experiments = new LinkedHashMap<>(Map.of("Default", "0"));
  private final Map<String, KeptRun> runs = new LinkedHashMap<>();
  private final List<String> asked = new CopyOnWriteArrayList<>();
  private final List<String> authorizations = new CopyOnWriteArrayList<>();
  private final Map<String, byte[]> artifacts = new LinkedHashMap<>();
  private final List<JsonNode> versions = new ArrayList<>();
  private volatile int failure;
  private volatile String loses;
  private volatile boolean silent;

  /** A run as the server has it. */
  public static final class KeptRun {
    private final String id;
    private final String experiment;
    final Map<String, String> tags = new LinkedHashMap<>();
    final Map<String, String> parameters = new LinkedHashMap<>();
    final List<JsonNode> points = new CopyOnWriteArrayList<>();
    volatile String status = "RUNNING";
    volatile long endTime;

    KeptRun(String id, String experiment) {
      this.id = id;
      this.experiment = experiment;
    }

    String experiment() {
      return experiment;
    }

    String id() {
      return id;
    }

    /** The steps of a metric, in the order in which they came. */
    public List<Long> steps(String key) {
      return points.stream()
          .filter(point -> point.path("key").asText().equals(key))
          .map(point -> point.path("step").asLong())
          .toList();
    }

    public String status() {
      return status;
    }

    public Map<String, String> tags() {
      return tags;
    }

    public Map<String, String> parameters() {
      return parameters;
    }
  }

  public MlflowDouble() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext("/", this::handle);
    server.start();
  }

  public String uri() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  /** The only run that there is. */
  public synchronized KeptRun run() {
    if (runs.size() != 1) {
      throw new AssertionError("runs: " + runs.keySet());
    }
    return runs.values().iterator().next();
  }

  synchronized List<KeptRun> runs() {
    return List.copyOf(runs.values());
  }

  synchronized KeptRun addRun(String id, String experiment) {
    KeptRun run = new KeptRun(id, experiment);
    runs.put(id, run);
    return run;
  }

  synchronized void forget(String id) {
    runs.remove(id);
  }

  /** Methods and paths of what was asked. */
  List<String> asked() {
    return asked;
  }

  List<String> authorizations() {
    return authorizations;
  }

  public Map<String, byte[]> artifacts() {
    return artifacts;
  }

  synchronized List<JsonNode> versions() {
    return List.copyOf(versions);
  }

  synchronized Map<String, String> experiments() {
    return Map.copyOf(experiments);
  }

  /** Answers everything with this status; 0: as it should. */
  public void fail(int status) {
    failure = status;
  }

  /** Takes the next points, and breaks the connection in the place of an answer. */
  void loseAnAnswer() {
    loseAnAnswerTo("metrics");
  }

  /** The same for the next batch of {@code metrics}, {@code params} or {@code tags}. */
  void loseAnAnswerTo(String kind) {
    loses = kind;
  }

  /** Takes requests, and answers none. */
  public void beSilent() {
    silent = true;
  }

  private void handle(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    byte[] body = exchange.getRequestBody().readAllBytes();
    asked.add(exchange.getRequestMethod() + " " + path);
    authorizations.add(String.valueOf(exchange.getRequestHeaders().getFirst("Authorization")));
    if (silent) {
      return;
    }
    if (failure != 0) {
      answer(exchange, failure, error("BROKEN", "broken for a test"));
      return;
    }
    String artifacts = "/api/2.0/mlflow-artifacts/artifacts/";
    if (path.startsWith(artifacts)) {
      synchronized (this) {
        this.artifacts.put(path.substring(artifacts.length()), body);
      }
      answer(exchange, 200, JSON.createObjectNode());
      return;
    }
    boolean lost;
    Answer answer;
    synchronized (this) {
      answer =
          answer(
              path.replaceFirst("^/api/2.0/mlflow/", ""),
              body.length == 0 ? JSON.createObjectNode() : JSON.readTree(body),
              exchange.getRequestURI().getRawQuery());
      lost =
          loses != null
              && path.endsWith("log-batch")
              && new String(body, UTF_8).contains("\"" + loses + "\"");
      if (lost) {
        loses = null;
      }
    }
    if (lost) {
      exchange.close();
    } else {
      answer(exchange, answer.status(), answer.body());
    }
  }

  private record Answer(int status, JsonNode body) {}

  private Answer answer(String path, JsonNode body, String query) {
    return switch (path) {
      case "experiments/get-by-name" -> {
        String id = experiments.get(parameter(query));
        yield id == null
            ? new Answer(404, error("RESOURCE_DOES_NOT_EXIST", "no such experiment"))
            : ok("experiment", JSON.createObjectNode().put("experiment_id", id));
      }
      case "experiments/create" -> {
        experiments.put(body.path("name").asText(), Integer.toString(experiments.size()));
        yield new Answer(
            200,
            JSON.createObjectNode()
                .put("experiment_id", experiments.get(body.path("name").asText())));
      }
      case "runs/create" -> {
        KeptRun made = new KeptRun("run" + (runs.size() + 1), body.path("experiment_id").asText());
        runs.put(made.id, made);
        body.path("tags")
            .forEach(tag -> made.tags.put(tag.path("key").asText(), tag.path("value").asText()));
        yield ok("run", shown(made));
      }
      case "runs/get" -> {
        KeptRun asked = runs.get(parameter(query));
        yield asked == null
            ? new Answer(404, error("RESOURCE_DOES_NOT_EXIST", "no such run"))
            : ok("run", shown(asked));
      }
      case "runs/update" -> {
        KeptRun updated = runs.get(body.path("run_id").asText());
        updated.status = body.path("status").asText();
        updated.endTime = body.path("end_time").asLong();
        yield new Answer(200, JSON.createObjectNode());
      }
      case "runs/log-batch" -> logged(runs.get(body.path("run_id").asText()), body);
      case "registered-models/create" ->
          new Answer(400, error("RESOURCE_ALREADY_EXISTS", "it is there"));
      case "model-versions/create" -> {
        versions.add(body);
        yield ok("model_version", JSON.createObjectNode().put("version", "7"));
      }
      default -> new Answer(404, error("ENDPOINT_NOT_FOUND", path));
    };
  }

  private static Answer logged(KeptRun run, JsonNode body) {
    if (body.path("metrics").size() > MOST_METRICS
        || body.path("params").size() > MOST_PARAMETERS) {
      return new Answer(400, error("INVALID_PARAMETER_VALUE", "too many"));
    }
    for (JsonNode parameter : body.path("params")) {
      String value = parameter.path("value").asText();
      String before = run.parameters.putIfAbsent(parameter.path("key").asText(), value);
      if (before != null && !before.equals(value)) {
        return new Answer(400, error("INVALID_PARAMETER_VALUE", "another value"));
      }
    }
    body.path("tags")
        .forEach(tag -> run.tags.put(tag.path("key").asText(), tag.path("value").asText()));
    body.path("metrics").forEach(run.points::add);
    return new Answer(200, JSON.createObjectNode());
  }

  private static ObjectNode shown(KeptRun run) {
    ObjectNode json = JSON.createObjectNode();
    json.putObject("info")
        .put("run_id", run.id)
        .put("experiment_id", run.experiment)
        .put("lifecycle_stage", "active")
        .put("artifact_uri", "mlflow-artifacts:/" + run.experiment + "/" + run.id + "/artifacts");
    ArrayNode parameters = json.putObject("data").putArray("params");
    run.parameters.forEach((key, value) -> parameters.addObject().put("key", key));
    Map<String, JsonNode> latest = new LinkedHashMap<>();
    for (JsonNode point : run.points) {
      latest.merge(
          point.path("key").asText(),
          point,
          (a, b) -> a.path("step").asLong() > b.path("step").asLong() ? a : b);
    }
    ArrayNode metrics = json.withObjectProperty("data").putArray("metrics");
    latest.values().forEach(metrics::add);
    return json;
  }

  private static String parameter(String query) {
    return URLDecoder.decode(query.substring(query.indexOf('=') + 1), UTF_8);
  }

  private static Answer ok(String name, JsonNode value) {
    return new Answer(200, JSON.createObjectNode().set(name, value));
  }

  private static ObjectNode error(String code, String message) {
    return JSON.createObjectNode().put("error_code", code).put("message", message);
  }

  private static void answer(HttpExchange exchange, int status, JsonNode body) throws IOException {
    byte[] bytes = body.toString().getBytes(UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
