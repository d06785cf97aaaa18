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
import java.util.TreeMap;
import java.util.stream.StreamSupport;

/** {@code samples.json} of a checkpoint: held-out prompts, continued before training. */
final class SamplesJson {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private SamplesJson() {}

  static byte[] write(Map<Integer, Sample> samples) {
    ArrayNode all = JSON.createArrayNode();
    samples.forEach(
        (number, sample) -> {
          ObjectNode json = all.addObject().put("sample", number);
          json.set("prompt", JSON.valueToTree(sample.prompt()));
          json.set("before", JSON.valueToTree(sample.before()));
        });
    return all.toString().getBytes(StandardCharsets.UTF_8);
  }

  static Map<Integer, Sample> read(byte[] bytes) {
    JsonNode all = parse(bytes);
    Map<Integer, Sample> samples = new TreeMap<>();
    for (JsonNode json : all) {
      JsonNode number = json.path("sample");
      Sample sample = new Sample(ids(json.path("prompt")), ids(json.path("before")), null);
      if (json.size() != 3 || !number.isInt() || samples.put(number.intValue(), sample) != null) {
        throw damaged(null);
      }
    }
    return samples;
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
