package dev.anneal.training.model.config;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.io.JsonObject;
import java.util.List;

/**
 * {@link LlamaConfig} from and to {@code config.json}. Both published forms are read: {@code
 * rope_theta} beside {@code rope_scaling}, and {@code rope_parameters} which holds them all. What a
 * configuration leaves out is what transformers takes it for.
 */
final class LlamaConfigJson {
  private static final String ARCHITECTURE = "LlamaForCausalLM";

  private LlamaConfigJson() {}

  static LlamaConfig parse(JsonObject json) {
    checkKind(json);
    int hiddenSize = positive(json, "hidden_size");
    int heads = positive(json, "num_attention_heads");
    int keyValueHeads = positive(json, "num_key_value_heads", heads);
    if (heads % keyValueHeads != 0) {
      throw json.refuse(
          "num_key_value_heads",
          "must divide num_attention_heads, but %s does not divide %s."
              .formatted(keyValueHeads, heads));
    }
    JsonObject rope = rope(json);
    return new LlamaConfig(
        positive(json, "vocab_size"),
        hiddenSize,
        positive(json, "intermediate_size"),
        positive(json, "num_hidden_layers"),
        heads,
        keyValueHeads,
        headDim(json, hiddenSize, heads),
        positiveNumber(json, "rms_norm_eps", 1e-6),
        ropeScaling(rope),
        ropeTheta(json, rope),
        positive(json, "max_position_embeddings", 2048),
        json.flag("tie_word_embeddings"),
        json.has("bos_token_id") ? json.intNumber("bos_token_id") : null,
        json.intNumbers("eos_token_id"));
  }

  private static void checkKind(JsonObject json) {
    String modelType = json.text("model_type");
    if (!modelType.equals("llama")) {
      throw json.refuse("model_type", "is '%s', but Anneal trains llama.".formatted(modelType));
    }
    if (json.has("architectures")) {
      List<String> architectures = json.texts("architectures");
      if (!architectures.contains(ARCHITECTURE)) {
        throw json.refuse(
            "architectures", "is %s, but Anneal trains %s.".formatted(architectures, ARCHITECTURE));
      }
    }
    if (json.has("hidden_act") && !json.text("hidden_act").equals("silu")) {
      throw json.refuse(
          "hidden_act",
          "is '%s', but Anneal computes only silu.".formatted(json.text("hidden_act")));
    }
    for (String key : List.of("attention_bias", "mlp_bias")) {
      if (json.flag(key)) {
        throw json.refuse(key, "is true, but Anneal computes only linear modules without bias.");
      }
    }
    if (json.has("quantization_config")) {
      throw json.refuse(
          "quantization_config", "is set, but Anneal reads only unquantized weights.");
    }
  }

  private static int headDim(JsonObject json, int hiddenSize, int heads) {
    if (!json.has("head_dim") && hiddenSize % heads != 0) {
      throw json.refuse(
          "hidden_size",
          "must be a multiple of num_attention_heads (%s) where head_dim is not given, not %s."
              .formatted(heads, hiddenSize));
    }
    int headDim = json.has("head_dim") ? positive(json, "head_dim") : hiddenSize / heads;
    if (headDim % 2 != 0) {
      throw json.refuse(
          "head_dim", "must be even for rotary embeddings, not %s.".formatted(headDim));
    }
    return headDim;
  }

  /** Where the rotary settings are: transformers, too, lets {@code rope_scaling} come first. */
  private static JsonObject rope(JsonObject json) {
    return json.objectOrEmpty(json.isUnset("rope_scaling") ? "rope_parameters" : "rope_scaling");
  }

  private static double ropeTheta(JsonObject json, JsonObject rope) {
    return positiveNumber(rope.has("rope_theta") ? rope : json, "rope_theta", 10_000);
  }

  private static RopeScaling ropeScaling(JsonObject rope) {
    String typeKey = rope.has("rope_type") ? "rope_type" : "type";
    String type = rope.has(typeKey) ? rope.text(typeKey) : "default";
    return switch (type) {
      case "default" -> null;
      case "llama3" -> llama3(rope);
      default ->
          throw rope.refuse(
              typeKey, "is '%s', but Anneal computes only default and llama3.".formatted(type));
    };
  }

  private static RopeScaling llama3(JsonObject rope) {
    RopeScaling scaling =
        new RopeScaling(
            positiveNumber(rope, "factor"),
            positiveNumber(rope, "low_freq_factor"),
            positiveNumber(rope, "high_freq_factor"),
            positive(rope, "original_max_position_embeddings"));
    if (scaling.highFreqFactor() <= scaling.lowFreqFactor()) {
      throw rope.refuse(
          "high_freq_factor",
          "must be more than low_freq_factor, but is %s and %s."
              .formatted(scaling.highFreqFactor(), scaling.lowFreqFactor()));
    }
    return scaling;
  }

  private static int positive(JsonObject json, String key) {
    int value = json.intNumber(key);
    if (value <= 0) {
      throw json.refuse(key, "must be more than 0, not %s.".formatted(value));
    }
    return value;
  }

  private static int positive(JsonObject json, String key, int missing) {
    return json.has(key) ? positive(json, key) : missing;
  }

  private static double positiveNumber(JsonObject json, String key) {
    double value = json.number(key);
    if (value <= 0) {
      throw json.refuse(key, "must be more than 0, not %s.".formatted(value));
    }
    return value;
  }

  private static double positiveNumber(JsonObject json, String key, double missing) {
    return json.has(key) ? positiveNumber(json, key) : missing;
  }

  static String print(LlamaConfig config, String torchDtype) {
    ObjectNode json = JsonObject.create();
    json.putArray("architectures").add(ARCHITECTURE);
    json.put("attention_bias", false);
    json.put("bos_token_id", config.bosTokenId());
    putEosTokenIds(json, config.eosTokenIds());
    json.put("head_dim", config.headDim());
    json.put("hidden_act", "silu");
    json.put("hidden_size", config.hiddenSize());
    json.put("intermediate_size", config.intermediateSize());
    json.put("max_position_embeddings", config.maxPositionEmbeddings());
    json.put("mlp_bias", false);
    json.put("model_type", "llama");
    json.put("num_attention_heads", config.numAttentionHeads());
    json.put("num_hidden_layers", config.numHiddenLayers());
    json.put("num_key_value_heads", config.numKeyValueHeads());
    json.put("rms_norm_eps", config.rmsNormEps());
    putRopeScaling(json, config.ropeScaling());
    json.put("rope_theta", config.ropeTheta());
    json.put("tie_word_embeddings", config.tieWordEmbeddings());
    json.put("torch_dtype", torchDtype);
    json.put("vocab_size", config.vocabSize());
    return JsonObject.print(json);
  }

  private static void putEosTokenIds(ObjectNode json, List<Integer> ids) {
    switch (ids.size()) {
      case 0 -> json.putNull("eos_token_id");
      case 1 -> json.put("eos_token_id", ids.get(0));
      default -> {
        ArrayNode list = json.putArray("eos_token_id");
        ids.forEach(list::add);
      }
    }
  }

  private static void putRopeScaling(ObjectNode json, RopeScaling scaling) {
    if (scaling == null) {
      json.putNull("rope_scaling");
      return;
    }
    json.putObject("rope_scaling")
        .put("factor", scaling.factor())
        .put("high_freq_factor", scaling.highFreqFactor())
        .put("low_freq_factor", scaling.lowFreqFactor())
        .put("original_max_position_embeddings", scaling.originalMaxPositionEmbeddings())
        .put("rope_type", "llama3");
  }
}
