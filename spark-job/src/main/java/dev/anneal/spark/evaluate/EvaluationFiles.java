package dev.anneal.spark.evaluate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.evaluate.EvaluationResult.Loss;
import dev.anneal.spark.evaluate.EvaluationResult.Losses;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * {@code evaluation.json}, which holds nothing that changes from one run of the same to the next:
 * no time, no host, no number of ranks.
 */
final class EvaluationFiles {
  static final String JSON = "evaluation.json";
  static final String PAGE = "evaluation.html";

  /** What the names of folders begin with in which rows are prepared. */
  private static final String WORK = "_evaluation-";

  private static final JsonMapper MAPPER =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private EvaluationFiles() {}

  /** Where an evaluation prepares its rows; nobody else does, so that two do not meet. */
  static String work(String runId) {
    return WORK + runId;
  }

  /** Whether an evaluation, or a part of one, is in a folder. */
  static boolean isIn(RunFolder output) throws IOException {
    return output.has(JSON) || output.has(PAGE);
  }

  /** The file's content. */
  static byte[] json(EvaluationResult result, EvaluationInputs inputs) {
    ObjectNode json = MAPPER.createObjectNode();
    json.put("version", AnnealVersion.anneal());
    inputs.addTo(json);
    json.setAll(losses(result.all()));
    json.put("rows_without_targets", result.rowsWithoutTargets());
    ArrayNode sources = json.putArray("sources");
    for (Map.Entry<String, Losses> source : result.sources().entrySet()) {
      ObjectNode node = sources.addObject();
      node.put("source", source.getKey().isEmpty() ? null : source.getKey());
      node.setAll(losses(source.getValue()));
    }
    json.set("answers", MAPPER.valueToTree(result.answers()));
    try {
      return (MAPPER.writeValueAsString(json) + "\n").getBytes(StandardCharsets.UTF_8);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static ObjectNode losses(Losses losses) {
    ObjectNode json = MAPPER.createObjectNode();
    json.put("rows", losses.rows());
    json.put("target_tokens", losses.targetTokens());
    json.set("base", loss(losses.base()));
    json.set("adapted", loss(losses.adapted()));
    return json;
  }

  private static ObjectNode loss(Loss loss) {
    if (loss == null) {
      return null;
    }
    ObjectNode json = MAPPER.createObjectNode();
    json.put("loss", finite(loss.mean()));
    json.put("perplexity", finite(loss.perplexity()));
    return json;
  }

  /** JSON has no other numbers. */
  private static Double finite(double value) {
    return Double.isFinite(value) ? value : null;
  }
}
