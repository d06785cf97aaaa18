package dev.anneal.spark.tracking.tensorboard;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.output.MetricsLine;
import dev.anneal.spark.tracking.TrackedRun;
import dev.anneal.training.trainer.StepMetrics;
import java.util.LinkedHashMap;
import java.util.Map;

/** What TensorBoard shows of a run, by tag. */
final class Scalars {
  static final String EVAL_LOSS = "eval_loss";

  private Scalars() {}

  /** The numbers of a line; what is not finite is left out. */
  static Map<String, Double> of(MetricsLine line) {
    Map<String, Double> values = new LinkedHashMap<>();
    if (line.isEvaluation()) {
      values.put(EVAL_LOSS, line.evalLoss());
    } else {
      StepMetrics step = line.metrics();
      // first one that is always finite: by it the line is known again
      values.put("learning_rate", step.learningRate());
      values.put("loss", step.loss());
      values.put("grad_norm", step.gradNorm());
      values.put("tokens_per_second", step.tokensPerSecond());
      values.put("peak_memory_bytes", (double) step.peakMemoryBytes());
      values.put("epoch", step.epoch());
      values.putAll(MetricsLine.millis(step.times()));
    }
    values.values().removeIf(value -> !Double.isFinite(value));
    return values;
  }

  /** The configuration as a table in Markdown. */
  static String configuration(TrackedRun run) {
    StringBuilder table = new StringBuilder("| key | value |\n| --- | --- |\n");
    for (Map.Entry<String, JsonNode> section : run.request().config().resolved().properties()) {
      for (Map.Entry<String, JsonNode> field : section.getValue().properties()) {
        JsonNode value = field.getValue();
        String text = value.isValueNode() ? value.asText() : value.toString();
        table
            .append("| ")
            .append(section.getKey())
            .append('.')
            .append(field.getKey())
            .append(" | ")
            .append(run.masked().apply(text).replace("|", "\\|"))
            .append(" |\n");
      }
    }
    return table.toString();
  }
}
