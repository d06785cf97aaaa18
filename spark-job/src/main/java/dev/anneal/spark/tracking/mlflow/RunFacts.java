package dev.anneal.spark.tracking.mlflow;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.output.MetricsLine;
import dev.anneal.spark.tracking.TrackedRun;
import dev.anneal.training.trainer.StepMetrics;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** What MLflow is told of a run, as names and values. */
final class RunFacts {
  /** A server of before 2.8 takes no longer value of a parameter. */
  static final int LONGEST_PARAMETER = 500;

  private static final int LONGEST_TAG = 5000;
  private static final String CUT = "...";

  private RunFacts() {}

  /** The resolved configuration and the data set, by key; what is not set is left out. */
  static SortedMap<String, String> parameters(TrackedRun run) {
    SortedMap<String, String> parameters = new TreeMap<>();
    for (Map.Entry<String, JsonNode> section : run.request().config().resolved().properties()) {
      for (Map.Entry<String, JsonNode> field : section.getValue().properties()) {
        JsonNode value = field.getValue();
        if (!value.isNull()) {
          put(
              parameters,
              section.getKey() + "." + field.getKey(),
              value.isValueNode() ? value.asText() : value.toString(),
              run);
        }
      }
    }
    put(parameters, "model.fingerprint", String.valueOf(run.model()), run);
    put(parameters, "training.steps", Long.toString(run.steps()), run);
    put(
        parameters,
        "dataset.train_sequences",
        Long.toString(run.data().train().train().sequences()),
        run);
    put(parameters, "dataset.train_rows", Long.toString(run.data().train().train().rows()), run);
    put(
        parameters,
        "dataset.train_tokens",
        Long.toString(run.data().train().train().tokens()),
        run);
    put(parameters, "dataset.eval_rows", Long.toString(run.data().evalRows()), run);
    return parameters;
  }

  private static void put(Map<String, String> to, String name, String value, TrackedRun run) {
    to.put(name, cut(run.masked().apply(value), LONGEST_PARAMETER));
  }

  /** Who made it, with what. */
  static Map<String, String> tags(TrackedRun run) {
    Map<String, String> tags = new LinkedHashMap<>();
    tags.put(
        "mlflow.source.name", "anneal " + run.request().command().name().toLowerCase(Locale.ROOT));
    tags.put("mlflow.source.type", "JOB");
    tags.put("mlflow.user", System.getProperty("user.name"));
    tags.put("anneal.version", AnnealVersion.anneal());
    tags.put("anneal.libtorch", AnnealVersion.libtorch());
    tags.put("anneal.output", run.masked().apply(run.folder().display()));
    tags.put("spark.version", run.sparkVersion());
    tags.put("spark.application_id", run.applicationId());
    return tags;
  }

  /** A sentence as the value of a tag. */
  static String tag(String sentence) {
    return cut(sentence, LONGEST_TAG);
  }

  /** What a line measures; what is not finite is left out. */
  static Map<String, Double> metrics(MetricsLine line) {
    Map<String, Double> metrics = new LinkedHashMap<>();
    if (line.isEvaluation()) {
      metrics.put("eval_loss", line.evalLoss());
    } else {
      StepMetrics step = line.metrics();
      metrics.put("loss", step.loss());
      metrics.put("grad_norm", step.gradNorm());
      metrics.put("learning_rate", step.learningRate());
      metrics.put("target_tokens", (double) step.targetTokens());
      metrics.put("tokens", (double) step.tokens());
      metrics.put("tokens_per_second", step.tokensPerSecond());
      metrics.put("peak_memory_bytes", (double) step.peakMemoryBytes());
      metrics.put("epoch", step.epoch());
      metrics.putAll(MetricsLine.millis(step.times()));
    }
    metrics.values().removeIf(value -> !Double.isFinite(value));
    return metrics;
  }

  private static String cut(String text, int longest) {
    return text.length() <= longest ? text : text.substring(0, longest - CUT.length()) + CUT;
  }
}
