package dev.anneal.spark.notify;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.tracking.RunEnd;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;

/**
 * How a run has ended, for whoever waits for it.
 *
 * @param command {@code run}, {@code prep} or {@code train}
 * @param output folder of the run, masked
 * @param applicationId Spark's
 * @param progress how far it came; {@code null} where it did not train
 */
public record Notice(
    RunEnd end,
    String command,
    String output,
    String applicationId,
    Instant start,
    Instant finish,
    Progress progress) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * How far a run came.
   *
   * @param step the last; 0 before the first
   * @param steps of the whole run
   * @param loss of the last step; NaN where there is none
   * @param evalLoss the last held-out loss; NaN where there is none
   */
  public record Progress(long step, long steps, double loss, double evalLoss) {}

  /** As an object of JSON. */
  String json() {
    ObjectNode json = JSON.createObjectNode();
    json.put("state", state())
        .put("command", command)
        .put("error", end.error())
        .put("output", output)
        .put("application_id", applicationId)
        .put("started_at", start.toString())
        .put("ended_at", finish.toString())
        .put("seconds", Duration.between(start, finish).toMillis() / 1000.0);
    if (progress != null) {
      json.put("step", progress.step())
          .put("steps", progress.steps())
          .put("loss", orNull(progress.loss()))
          .put("eval_loss", orNull(progress.evalLoss()));
    }
    return json.put("anneal", AnnealVersion.anneal()).toString();
  }

  /** As Slack's incoming webhooks take a message. */
  String slack() {
    return JSON.createObjectNode().put("text", escaped(sentence())).toString();
  }

  /** In one line. */
  String sentence() {
    StringBuilder text = new StringBuilder("Anneal ").append(command).append(' ');
    text.append(end.state() == RunEnd.State.INTERRUPTED ? "was interrupted" : "has " + state());
    if (progress != null) {
      text.append(
          String.format(Locale.ROOT, " after step %,d of %,d", progress.step(), progress.steps()));
      text.append(number(", loss %.4f", progress.loss()));
      text.append(number(", held-out loss %.4f", progress.evalLoss()));
    }
    text.append(end.error() == null ? "." : ": " + end.error());
    return text.append(" Output: ").append(output).toString();
  }

  private String state() {
    return end.state().name().toLowerCase(Locale.ROOT);
  }

  private static String number(String format, double value) {
    return Double.isFinite(value) ? String.format(Locale.ROOT, format, value) : "";
  }

  private static Double orNull(double value) {
    return Double.isFinite(value) ? value : null;
  }

  /** What is markup to Slack. */
  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
