package dev.anneal.spark.tracking.mlflow;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.tracking.TrackedRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A run of MLflow's: begun, or gone on with where {@code mlflow.json} in the output folder names
 * it.
 */
final class MlflowRun {
  private static final int MOST_PARAMETERS = 100;
  private static final String GONE = "RESOURCE_DOES_NOT_EXIST";

  private final MlflowServer server;
  private final String id;
  private final String experiment;
  private final String artifacts;

  private MlflowRun(MlflowServer server, JsonNode info) {
    this.server = server;
    this.id = info.path("run_id").asText();
    this.experiment = info.path("experiment_id").asText();
    this.artifacts = info.path("artifact_uri").asText();
  }

  /** Begins it, or goes on with it. */
  static MlflowRun open(MlflowServer server, MlflowSettings settings, TrackedRun run)
      throws IOException, InterruptedException {
    JsonNode earlier = earlier(server, run.folder());
    JsonNode there = earlier == null ? created(server, settings, run) : earlier;
    MlflowRun opened = new MlflowRun(server, there.path("info"));
    if (earlier == null) {
      opened.remember(run.folder());
    } else {
      opened.update("RUNNING", 0);
    }
    opened.parameters(RunFacts.parameters(run), there);
    opened.tags(RunFacts.tags(run));
    return opened;
  }

  private static JsonNode earlier(MlflowServer server, RunFolder folder)
      throws IOException, InterruptedException {
    if (!folder.has(RunFolder.MLFLOW)) {
      return null;
    }
    JsonNode known = MlflowServer.JSON.readTree(folder.read(RunFolder.MLFLOW));
    if (!known.path("tracking_uri").asText().equals(server.root().toString())) {
      return null;
    }
    try {
      JsonNode run = server.get("runs/get", "run_id", known.path("run_id").asText()).path("run");
      return run.at("/info/lifecycle_stage").asText("active").equals("active") ? run : null;
    } catch (MlflowServer.Refused e) {
      if (e.is(GONE)) {
        return null;
      }
      throw e;
    }
  }

  private static JsonNode created(MlflowServer server, MlflowSettings settings, TrackedRun run)
      throws IOException, InterruptedException {
    ObjectNode body =
        MlflowServer.JSON
            .createObjectNode()
            .put("experiment_id", experiment(server, settings))
            .put("run_name", settings.runName())
            .put("start_time", System.currentTimeMillis());
    ArrayNode tags = body.putArray("tags");
    add(tags, "mlflow.runName", settings.runName());
    if (settings.parentRun() != null) {
      add(tags, "mlflow.parentRunId", settings.parentRun());
    }
    RunFacts.tags(run).forEach((name, value) -> add(tags, name, value));
    return server.post("runs/create", body).path("run");
  }

  /** The experiment that is named, that of the outer run, or the server's default. */
  private static String experiment(MlflowServer server, MlflowSettings settings)
      throws IOException, InterruptedException {
    if (settings.experiment() != null) {
      return named(server, settings.experiment());
    }
    if (settings.experimentId() != null) {
      return settings.experimentId();
    }
    return settings.parentRun() == null
        ? "0"
        : server
            .get("runs/get", "run_id", settings.parentRun())
            .at("/run/info/experiment_id")
            .asText();
  }

  private static String named(MlflowServer server, String name)
      throws IOException, InterruptedException {
    try {
      return experimentCalled(server, name);
    } catch (MlflowServer.Refused e) {
      if (!e.is(GONE)) {
        throw e;
      }
    }
    try {
      return server
          .post("experiments/create", MlflowServer.JSON.createObjectNode().put("name", name))
          .path("experiment_id")
          .asText();
    } catch (MlflowServer.Refused e) {
      if (e.is("RESOURCE_ALREADY_EXISTS")) {
        // another run has made it in the meantime
        return experimentCalled(server, name);
      }
      throw e;
    }
  }

  private static String experimentCalled(MlflowServer server, String name)
      throws IOException, InterruptedException {
    return server
        .get("experiments/get-by-name", "experiment_name", name)
        .at("/experiment/experiment_id")
        .asText();
  }

  private void remember(RunFolder folder) throws IOException {
    ObjectNode json =
        MlflowServer.JSON
            .createObjectNode()
            .put("tracking_uri", server.root().toString())
            .put("experiment_id", experiment)
            .put("run_id", id);
    folder.write(
        RunFolder.MLFLOW,
        MlflowServer.JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(json));
  }

  /** MLflow refuses another value of a parameter: those that are there stay. */
  private void parameters(Map<String, String> parameters, JsonNode there)
      throws IOException, InterruptedException {
    Set<String> known = new HashSet<>();
    there.at("/data/params").forEach(parameter -> known.add(parameter.path("key").asText()));
    List<Map.Entry<String, String>> missing = new ArrayList<>(parameters.entrySet());
    missing.removeIf(parameter -> known.contains(parameter.getKey()));
    for (int from = 0; from < missing.size(); from += MOST_PARAMETERS) {
      ObjectNode body = MlflowServer.JSON.createObjectNode().put("run_id", id);
      ArrayNode params = body.putArray("params");
      missing
          .subList(from, Math.min(missing.size(), from + MOST_PARAMETERS))
          .forEach(parameter -> add(params, parameter.getKey(), parameter.getValue()));
      server.post("runs/log-batch", body);
    }
  }

  /** Sets tags, in place of those of the same name. */
  void tags(Map<String, String> tags) throws IOException, InterruptedException {
    ObjectNode body = MlflowServer.JSON.createObjectNode().put("run_id", id);
    ArrayNode list = body.putArray("tags");
    tags.forEach((name, value) -> add(list, name, value));
    server.post("runs/log-batch", body);
  }

  private static void add(ArrayNode to, String key, String value) {
    to.addObject().put("key", key).put("value", value);
  }

  /** Adds points. */
  void metrics(ArrayNode points) throws IOException, InterruptedException {
    ObjectNode body = MlflowServer.JSON.createObjectNode().put("run_id", id);
    body.set("metrics", points);
    server.post("runs/log-batch", body);
  }

  /** The last step of every metric that the server has: MLflow itself takes a point twice. */
  Map<String, Long> lastSteps() throws IOException, InterruptedException {
    Map<String, Long> last = new HashMap<>();
    for (JsonNode metric : server.get("runs/get", "run_id", id).at("/run/data/metrics")) {
      last.put(metric.path("key").asText(), metric.path("step").asLong());
    }
    return last;
  }

  /**
   * Changes what MLflow shows of how it goes.
   *
   * @param endMillis 0: it has no end yet
   */
  void update(String status, long endMillis) throws IOException, InterruptedException {
    ObjectNode body = MlflowServer.JSON.createObjectNode().put("run_id", id).put("status", status);
    if (endMillis > 0) {
      body.put("end_time", endMillis);
    }
    server.post("runs/update", body);
  }

  String id() {
    return id;
  }

  /** Where the run's files are to lie. */
  String artifactUri() {
    return artifacts;
  }

  /** Its page. */
  String page() {
    return server.page(experiment, id);
  }
}
