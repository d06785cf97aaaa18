package dev.anneal.spark.output;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.io.Excerpt;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A line of {@code metrics.jsonl}: a step, or the held-out loss after one. What is not finite is
 * {@code null} in the text and NaN once read back.
 *
 * @param metrics null for an evaluation
 * @param evalLoss of an evaluation
 * @param text JSON without the end of the line
 */
public record MetricsLine(long step, StepMetrics metrics, double evalLoss, String text)
    implements Comparable<MetricsLine> {
  private static final String SKIPPED = "skipped";
  private static final String EVAL_LOSS = "eval_loss";

  private static final List<String> EVALUATION_KEYS = List.of("step", EVAL_LOSS);
  private static final List<String> STEP_KEYS =
      List.of(
          "step",
          "loss",
          "grad_norm",
          "learning_rate",
          "target_tokens",
          "tokens",
          "tokens_per_second",
          "peak_memory_bytes",
          "epoch");

  private static final List<String> TIMED_STEP_KEYS = timed(STEP_KEYS);

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  // the evaluation after a step follows the step
  private static final Comparator<MetricsLine> ORDER =
      Comparator.comparingLong(MetricsLine::step).thenComparing(MetricsLine::isEvaluation);

  private static List<String> timed(List<String> stepKeys) {
    List<String> all = new ArrayList<>(stepKeys);
    all.addAll(millis(new StepTimes(0, 0, 0, 0, 0, 0)).keySet());
    return List.copyOf(all);
  }

  /** Milliseconds by their keys; none where they were not measured. */
  public static Map<String, Double> millis(StepTimes times) {
    Map<String, Double> millis = new LinkedHashMap<>();
    if (times.areKnown()) {
      millis.put("step_ms", times.step());
      millis.put("data_wait_ms", times.dataWait());
      millis.put("host_enqueue_ms", times.hostEnqueue());
      millis.put("device_ms", times.device());
      millis.put("exchange_ms", times.exchange());
      millis.put("offload_ms", times.offload());
    }
    return millis;
  }

  static MetricsLine of(StepMetrics metrics) {
    ObjectNode json = JSON.createObjectNode().put("step", metrics.step());
    json.put("loss", orNull(metrics.loss()))
        .put("grad_norm", orNull(metrics.gradNorm()))
        .put("learning_rate", metrics.learningRate())
        .put("target_tokens", metrics.targetTokens())
        .put("tokens", metrics.tokens())
        .put("tokens_per_second", metrics.tokensPerSecond())
        .put("peak_memory_bytes", metrics.peakMemoryBytes())
        .put("epoch", metrics.epoch());
    // to the microsecond, which is as exact as they are
    millis(metrics.times())
        .forEach((key, millis) -> json.put(key, Math.round(1000 * millis) / 1000.0));
    if (metrics.skipped()) {
      json.put(SKIPPED, true);
    }
    return new MetricsLine(metrics.step(), metrics, Double.NaN, json.toString());
  }

  static MetricsLine of(long step, double evalLoss) {
    ObjectNode json = JSON.createObjectNode().put("step", step).put(EVAL_LOSS, orNull(evalLoss));
    return new MetricsLine(step, null, evalLoss, json.toString());
  }

  /**
   * Reads a line back.
   *
   * @throws InvalidCheckpointException if it is not one that was written here
   */
  static MetricsLine parse(String text) {
    try {
      return parse(JSON.readTree(text), text);
    } catch (JsonProcessingException e) {
      throw damaged(text);
    }
  }

  private static MetricsLine parse(JsonNode json, String text) {
    if (!json.isObject()) {
      throw damaged(text);
    }
    boolean skipped = json.has(SKIPPED);
    List<String> keys = json.properties().stream().map(entry -> entry.getKey()).toList();
    if (keys.equals(EVALUATION_KEYS)) {
      return new MetricsLine(whole(json, "step", text), null, real(json, EVAL_LOSS, text), text);
    }
    List<String> stepKeys = skipped ? keys.subList(0, keys.size() - 1) : keys;
    // steps of earlier versions have no times, nor have those that were not timed
    boolean timed = stepKeys.equals(TIMED_STEP_KEYS);
    if ((!timed && !stepKeys.equals(STEP_KEYS)) || (skipped && !json.path(SKIPPED).isBoolean())) {
      throw damaged(text);
    }
    StepMetrics metrics =
        new StepMetrics(
            whole(json, "step", text),
            real(json, "loss", text),
            real(json, "grad_norm", text),
            real(json, "learning_rate", text),
            whole(json, "target_tokens", text),
            whole(json, "tokens", text),
            real(json, "tokens_per_second", text),
            whole(json, "peak_memory_bytes", text),
            real(json, "epoch", text),
            skipped,
            timed ? times(json, text) : StepTimes.UNKNOWN);
    return new MetricsLine(metrics.step(), metrics, Double.NaN, text);
  }

  private static StepTimes times(JsonNode json, String text) {
    return new StepTimes(
        real(json, "step_ms", text),
        real(json, "data_wait_ms", text),
        real(json, "host_enqueue_ms", text),
        real(json, "device_ms", text),
        real(json, "exchange_ms", text),
        real(json, "offload_ms", text));
  }

  /** Whether it is a held-out loss, and no step. */
  public boolean isEvaluation() {
    return metrics == null;
  }

  @Override
  public int compareTo(MetricsLine other) {
    return ORDER.compare(this, other);
  }

  static InvalidCheckpointException damaged(String text) {
    return new InvalidCheckpointException("metrics.jsonl has a damaged line: " + Excerpt.of(text));
  }

  private static Double orNull(double value) {
    return Double.isFinite(value) ? value : null;
  }

  private static long whole(JsonNode json, String key, String text) {
    JsonNode value = json.path(key);
    if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
      throw damaged(text);
    }
    return value.longValue();
  }

  private static double real(JsonNode json, String key, String text) {
    JsonNode value = json.path(key);
    if (value.isNull()) {
      return Double.NaN;
    }
    if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
      throw damaged(text);
    }
    return value.doubleValue();
  }
}
