package dev.anneal.spark.output;

import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.output.Outcome.Sample;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.StreamSupport;

/**
 * {@code samples.json} of a checkpoint: held-out prompts, continued before training and, with their
 * steps, at evaluations on the way.
 */
final class SamplesJson {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private static final String BEFORE = "before";
  private static final String LATER = "later";
  private static final String STEP = "step";
  private static final String GENERATED = "generated";

  private SamplesJson() {}

  static byte[] write(Map<Integer, Sample> samples) {
    ArrayNode all = JSON.createArrayNode();
    samples.forEach(
        (number, sample) -> {
          ObjectNode json = all.addObject().put("sample", number);
          json.set("prompt", JSON.valueToTree(sample.prompt()));
          json.set(BEFORE, JSON.valueToTree(sample.before()));
          SortedMap<Long, int[]> later = sample.continuations().tailMap(1L);
          if (!later.isEmpty()) {
            ArrayNode steps = json.putArray(LATER);
            later.forEach(
                (step, ids) ->
                    steps.addObject().put(STEP, step).set(GENERATED, JSON.valueToTree(ids)));
          }
        });
    return all.toString().getBytes(StandardCharsets.UTF_8);
  }

  static Map<Integer, Sample> read(byte[] bytes) {
    JsonNode all = parse(bytes);
    Map<Integer, Sample> samples = new TreeMap<>();
    for (JsonNode json : all) {
      JsonNode number = json.path("sample");
      Sample sample = new Sample(ids(json.path("prompt")), continuations(json));
      if (json.size() != (json.has(LATER) ? 4 : 3)
          || !number.isInt()
          || samples.put(number.intValue(), sample) != null) {
        throw damaged(null);
      }
    }
    return samples;
  }

  private static SortedMap<Long, int[]> continuations(JsonNode json) {
    SortedMap<Long, int[]> all = new TreeMap<>();
    all.put(0L, ids(json.path(BEFORE)));
    if (json.has(LATER) && !json.path(LATER).isArray()) {
      throw damaged(null);
    }
    for (JsonNode later : json.path(LATER)) {
      JsonNode step = later.path(STEP);
      boolean follows = step.isIntegralNumber() && step.longValue() > all.lastKey();
      if (later.size() != 2 || !step.canConvertToLong() || !follows) {
        throw damaged(null);
      }
      all.put(step.longValue(), ids(later.path(GENERATED)));
    }
    return all;
  }

  private static JsonNode parse(byte[] bytes) {
    try {
      JsonNode all = JSON.readTree(bytes);
      if (!all.isArray()) {
        throw damaged(null);
      }
      return all;
    } catch (IOException e) {
      throw damaged(e);
    }
  }

  private static int[] ids(JsonNode array) {
    if (!array.isArray()
        || !StreamSupport.stream(array.spliterator(), false).allMatch(JsonNode::isInt)) {
      throw damaged(null);
    }
    return StreamSupport.stream(array.spliterator(), false).mapToInt(JsonNode::intValue).toArray();
  }

  private static InvalidCheckpointException damaged(IOException cause) {
    return new InvalidCheckpointException("samples.json is damaged", cause);
  }
}
