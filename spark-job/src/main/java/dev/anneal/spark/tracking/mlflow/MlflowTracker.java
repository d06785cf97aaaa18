package dev.anneal.spark.tracking.mlflow;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.output.MetricsLine;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.tracking.Measurements;
import dev.anneal.spark.tracking.RunEnd;
import dev.anneal.spark.tracking.TrackedRun;
import dev.anneal.spark.tracking.Tracker;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Keeps a run in MLflow. What is sent is what the metrics log has and the server has not: nothing
 * is lost while the server is away, and a step that is measured again after a restart is no second
 * point.
 */
public final class MlflowTracker implements Tracker {
  /** Eight metrics a line, and a request takes 1,000. */
  private static final int LINES = 100;

  private final MlflowServer server;
  private final MlflowSettings settings;
  private final TrackedRun run;
  private final Measurements measurements;
  private final Consumer<String> say;

  private MlflowRun opened;

  /** Whether a run that {@code mlflow.json} names is not this one. */
  private boolean anew;

  /** {@code null}: the server is asked. */
  private Map<String, Long> last;

  private MetricsLine sent;
  private boolean published;

  /**
   * @param say told where to look at the run
   */
  public MlflowTracker(
      MlflowSettings settings, TrackedRun run, Measurements measurements, Consumer<String> say) {
    this.server = new MlflowServer(settings.server());
    this.settings = settings;
    this.run = run;
    this.measurements = measurements;
    this.anew = measurements.beginAnew();
    this.say = say;
  }

  @Override
  public String name() {
    return "MLflow";
  }

  @Override
  public void update() throws IOException, InterruptedException {
    try {
      if (anew) {
        // only now: one that cannot be opened at once must not be made twice
        run.folder().delete(RunFolder.MLFLOW);
        anew = false;
      }
      if (opened == null) {
        opened = MlflowRun.open(server, settings, run);
        say.accept("MLflow: " + opened.page());
        if (settings.artifacts() && !Artifacts.canBeWritten(opened.artifactUri())) {
          // days before it is tried
          say.accept(
              "MLflow will not get the result: nothing can be written to %s from here."
                  .formatted(opened.artifactUri()));
        }
      }
      boolean more = true;
      while (more) {
        more = send();
      }
    } catch (MlflowServer.Refused e) {
      throw new Refusal(e.getMessage());
    }
  }

  /** Sends the next lines; whether there may be more. */
  private boolean send() throws IOException, InterruptedException {
    List<MetricsLine> lines = measurements.after(sent, LINES);
    if (lines.isEmpty()) {
      return false;
    }
    if (last == null) {
      last = opened.lastSteps();
    }
    ArrayNode points = MlflowServer.JSON.createArrayNode();
    lines.forEach(line -> add(points, line));
    Map<String, Long> before = last;
    // what came of a request that fails is the server's to say
    last = null;
    if (!points.isEmpty()) {
      opened.metrics(points);
    }
    for (MetricsLine line : lines) {
      RunFacts.metrics(line).keySet().forEach(key -> before.merge(key, line.step(), Math::max));
    }
    last = before;
    sent = lines.get(lines.size() - 1);
    return lines.size() == LINES;
  }

  private void add(ArrayNode points, MetricsLine line) {
    RunFacts.metrics(line)
        .forEach(
            (key, value) -> {
              if (last.getOrDefault(key, -1L) < line.step()) {
                ObjectNode point = points.addObject();
                point.put("key", key).put("value", value);
                point.put("timestamp", measurements.millis(line)).put("step", line.step());
              }
            });
  }

  @Override
  public void end(RunEnd end) throws IOException, InterruptedException {
    try {
      switch (end.state()) {
        case SUCCEEDED -> {
          publishOnce();
          opened.update("FINISHED", System.currentTimeMillis());
        }
        case FAILED -> failed("FAILED", end.error());
        case INTERRUPTED -> failed("KILLED", end.error());
      }
    } catch (MlflowServer.Refused e) {
      throw new Refusal(e.getMessage());
    }
  }

  private void failed(String status, String error) throws IOException, InterruptedException {
    if (error != null) {
      opened.tags(Map.of("anneal.error", RunFacts.tag(error)));
    }
    opened.update(status, System.currentTimeMillis());
  }

  /** The run has succeeded whatever becomes of its copy here. */
  private void publishOnce() throws InterruptedException {
    if (published) {
      return;
    }
    published = true;
    try {
      String result = RunFolder.resultOf(run.request().config().training().mode());
      if (settings.artifacts()) {
        new Artifacts(server, opened.artifactUri(), run.folder()).upload(result, say);
      }
      if (settings.registeredModel() != null) {
        register(result);
      }
    } catch (IOException e) {
      say.accept(
          "MLflow has not got the result (%s): it lies in the output folder."
              .formatted(e.getMessage()));
    }
  }

  private void register(String result) throws IOException, InterruptedException {
    String name = settings.registeredModel();
    try {
      server.post(
          "registered-models/create", MlflowServer.JSON.createObjectNode().put("name", name));
    } catch (MlflowServer.Refused e) {
      if (!e.is("RESOURCE_ALREADY_EXISTS")) {
        throw e;
      }
    }
    String source =
        settings.artifacts() ? opened.artifactUri() + "/" + result : run.folder().child(result);
    ObjectNode version =
        MlflowServer.JSON
            .createObjectNode()
            .put("name", name)
            .put("source", source)
            .put("run_id", opened.id());
    String number =
        server.post("model-versions/create", version).at("/model_version/version").asText();
    say.accept("MLflow: %s version %s".formatted(name, number));
  }
}
