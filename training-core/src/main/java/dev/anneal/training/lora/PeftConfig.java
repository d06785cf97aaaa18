package dev.anneal.training.lora;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.JsonObject;
import dev.anneal.training.io.ModelFolder;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The {@code adapter_config.json} of a PEFT LoRA adapter.
 *
 * @param lora ranks, scales and target modules
 * @param baseModel name or path of the model that it adapts; {@code null} if not given
 * @see <a href="https://github.com/huggingface/peft/blob/main/src/peft/tuners/lora/config.py">PEFT,
 *     {@code LoraConfig}</a>
 */
public record PeftConfig(LoraSpec lora, String baseModel) {

  /** The file of an adapter folder that holds it. */
  public static final String FILE = "adapter_config.json";

  private static final String TARGET_MODULES = "target_modules";
  private static final String EXCLUDE_MODULES = "exclude_modules";
  private static final String LAYERS_TO_TRANSFORM = "layers_to_transform";
  private static final String LAYERS_PATTERN = "layers_pattern";
  private static final String RANK_PATTERN = "rank_pattern";
  private static final String ALPHA_PATTERN = "alpha_pattern";

  /** Settings that change what an adapter computes, or where, in ways that Anneal does not. */
  private static final List<String> UNSUPPORTED =
      List.of(
          "alora_invocation_tokens",
          "arrow_config",
          "fan_in_fan_out",
          "kasa_config",
          "layer_replication",
          "lora_bias",
          "megatron_config",
          "modules_to_save",
          "monteclora_config",
          "target_parameters",
          "trainable_token_indices",
          "use_bdlora",
          "use_qalora",
          "velora_config");

  /** Ways to begin that leave the base weights alone; PiSSA, OLoRA and others change them. */
  private static final List<String> PLAIN_INITS = List.of("gaussian", "eva", "orthogonal");

  /**
   * Reads {@code adapter_config.json} of {@code folder}.
   *
   * @throws InvalidModelException if it is missing, or not of an adapter that Anneal computes
   */
  public static PeftConfig read(ModelFolder folder) throws IOException {
    return parse(JsonObject.read(folder, FILE));
  }

  static PeftConfig parse(JsonObject json) {
    checkSupported(json);
    int r = json.intNumber("r");
    if (r <= 0) {
      throw json.refuse("r", "must be more than 0, not %s.".formatted(r));
    }
    LoraSpec lora =
        new LoraSpec(
            r,
            json.number("lora_alpha"),
            json.number("lora_dropout", 0),
            json.flag("use_rslora"),
            targetModules(json),
            rankPattern(json),
            alphaPattern(json),
            json.flag("use_dora") ? LoraVariant.DORA : LoraVariant.PLAIN);
    String baseModel = "base_model_name_or_path";
    return new PeftConfig(lora, json.has(baseModel) ? json.text(baseModel) : null);
  }

  private static void checkSupported(JsonObject json) {
    if (!json.text("peft_type").equals("LORA")) {
      throw json.refuse(
          "peft_type", "is '%s', but Anneal reads only LORA.".formatted(json.text("peft_type")));
    }
    if (json.has("bias") && !json.text("bias").equals("none")) {
      throw json.refuse(
          "bias", "is '%s', but Anneal trains no biases.".formatted(json.text("bias")));
    }
    for (String key : UNSUPPORTED) {
      if (!json.isUnset(key)) {
        throw json.refuse(
            key,
            "is set, but Anneal trains plain LoRA: merge the adapter into its model with PEFT and start from that.");
      }
    }
    String init = "init_lora_weights";
    if (json.isText(init) && !PLAIN_INITS.contains(json.text(init))) {
      throw json.refuse(
          init,
          "is '%s', which changes the base weights; convert the adapter to plain LoRA with PEFT."
              .formatted(json.text(init)));
    }
  }

  private static TargetModules targetModules(JsonObject json) {
    ModuleNames names = names(json, TARGET_MODULES);
    List<Integer> layers = json.intNumbers(LAYERS_TO_TRANSFORM);
    if (!layers.isEmpty() && json.isText(TARGET_MODULES)) {
      throw json.refuse(
          LAYERS_TO_TRANSFORM, "is set, but PEFT takes it only beside target_modules as a list.");
    }
    if (!json.isUnset(LAYERS_PATTERN)) {
      List<String> patterns =
          json.isText(LAYERS_PATTERN)
              ? List.of(json.text(LAYERS_PATTERN))
              : json.texts(LAYERS_PATTERN);
      if (!patterns.equals(List.of("layers"))) {
        throw json.refuse(LAYERS_PATTERN, "is %s, but a Llama's is 'layers'.".formatted(patterns));
      }
    }
    ModuleNames excluded =
        json.isUnset(EXCLUDE_MODULES)
            ? ModuleNames.listed(List.of())
            : names(json, EXCLUDE_MODULES);
    return new TargetModules(names, excluded, layers);
  }

  private static ModuleNames names(JsonObject json, String key) {
    if (!json.isText(key)) {
      return ModuleNames.listed(json.texts(key));
    }
    try {
      return key.equals(TARGET_MODULES)
          ? ModuleNames.text(json.text(key))
          : new ModuleNames.Matching(json.text(key));
    } catch (InvalidModelException e) {
      throw json.refuse(key, "does not fit: " + e.getMessage());
    }
  }

  private static Map<String, Integer> rankPattern(JsonObject json) {
    Map<String, Integer> ranks = new LinkedHashMap<>();
    JsonObject pattern = json.objectOrEmpty(RANK_PATTERN);
    for (String key : keys(json, RANK_PATTERN)) {
      int r = pattern.intNumber(key);
      if (r <= 0) {
        throw pattern.refuse(key, "must be more than 0, not %s.".formatted(r));
      }
      ranks.put(key, r);
    }
    return ranks;
  }

  private static Map<String, Double> alphaPattern(JsonObject json) {
    Map<String, Double> alphas = new LinkedHashMap<>();
    JsonObject pattern = json.objectOrEmpty(ALPHA_PATTERN);
    for (String key : keys(json, ALPHA_PATTERN)) {
      alphas.put(key, pattern.number(key));
    }
    return alphas;
  }

  private static List<String> keys(JsonObject json, String pattern) {
    List<String> keys = json.objectOrEmpty(pattern).keys();
    try {
      keys.forEach(PythonPattern::compileSuffix);
    } catch (InvalidModelException e) {
      throw json.refuse(pattern, "does not fit: " + e.getMessage());
    }
    return keys;
  }

  /** The text of an {@code adapter_config.json} that PEFT and vLLM load. */
  public String toJson() {
    ObjectNode json = JsonObject.create();
    ObjectNode alphas = json.putObject(ALPHA_PATTERN);
    lora.alphaPattern().forEach((key, alpha) -> putAlpha(alphas, key, alpha));
    json.putNull("auto_mapping");
    json.put("base_model_name_or_path", baseModel);
    json.put("bias", "none");
    json.put("fan_in_fan_out", false);
    json.put("inference_mode", true);
    json.put("init_lora_weights", true);
    json.putNull(LAYERS_PATTERN);
    putLayers(json);
    putAlpha(json, "lora_alpha", lora.alpha());
    json.put("lora_dropout", lora.dropout());
    json.putNull("modules_to_save");
    json.put("peft_type", "LORA");
    json.put("r", lora.r());
    ObjectNode ranks = json.putObject(RANK_PATTERN);
    lora.rankPattern().forEach(ranks::put);
    json.putNull("revision");
    putNames(json, TARGET_MODULES, lora.targetModules().names());
    if (!lora.targetModules().excluded().equals(ModuleNames.listed(List.of()))) {
      putNames(json, EXCLUDE_MODULES, lora.targetModules().excluded());
    }
    json.put("task_type", "CAUSAL_LM");
    json.put("use_dora", lora.isDora());
    json.put("use_rslora", lora.rslora());
    return JsonObject.print(json);
  }

  private void putLayers(ObjectNode json) {
    List<Integer> layers = lora.targetModules().layers();
    if (layers.isEmpty()) {
      json.putNull(LAYERS_TO_TRANSFORM);
    } else {
      ArrayNode list = json.putArray(LAYERS_TO_TRANSFORM);
      layers.forEach(list::add);
    }
  }

  private static void putNames(ObjectNode json, String key, ModuleNames names) {
    if (names instanceof ModuleNames.Matching matching) {
      json.put(key, matching.regex());
    } else if (names instanceof ModuleNames.Listed listed) {
      ArrayNode list = json.putArray(key);
      listed.names().stream().sorted().forEach(list::add);
    }
  }

  /** PEFT declares it as an integer, and vLLM insists, so a whole number is written as one. */
  private static void putAlpha(ObjectNode json, String key, double alpha) {
    if (alpha == Math.rint(alpha)) {
      json.put(key, (long) alpha);
    } else {
      json.put(key, alpha);
    }
  }
}
