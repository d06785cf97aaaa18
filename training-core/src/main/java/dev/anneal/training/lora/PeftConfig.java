package dev.anneal.training.lora;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.JsonObject;
import dev.anneal.training.io.ModelFolder;
import java.io.IOException;
import java.util.List;

/**
 * The {@code adapter_config.json} of a PEFT LoRA adapter.
 *
 * @param lora rank, scale and target modules
 * @param baseModel name or path of the model that it adapts; {@code null} if not given
 * @see <a href="https://github.com/huggingface/peft/blob/main/src/peft/tuners/lora/config.py">PEFT,
 *     {@code LoraConfig}</a>
 */
public record PeftConfig(LoraSpec lora, String baseModel) {

  /** The file of an adapter folder that holds it. */
  public static final String FILE = "adapter_config.json";

  /** Settings that change what an adapter computes, or where, in ways that Anneal does not. */
  private static final List<String> UNSUPPORTED =
      List.of(
          "alora_invocation_tokens",
          "alpha_pattern",
          "arrow_config",
          "exclude_modules",
          "fan_in_fan_out",
          "kasa_config",
          "layer_replication",
          "layers_pattern",
          "layers_to_transform",
          "lora_bias",
          "megatron_config",
          "modules_to_save",
          "monteclora_config",
          "rank_pattern",
          "target_parameters",
          "trainable_token_indices",
          "use_bdlora",
          "use_dora",
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

  /**
   * Parses the text of an {@code adapter_config.json}; {@code where} is what messages call it.
   *
   * @throws InvalidModelException if it is not of an adapter that Anneal computes
   */
  public static PeftConfig parse(String json, String where) {
    return parse(JsonObject.parse(json, where));
  }

  private static PeftConfig parse(JsonObject json) {
    checkSupported(json);
    int r = json.intNumber("r");
    if (r <= 0) {
      throw json.refuse("r", "must be more than 0, not %d.".formatted(r));
    }
    LoraSpec lora =
        new LoraSpec(
            r,
            json.number("lora_alpha"),
            json.number("lora_dropout", 0),
            json.flag("use_rslora"),
            targetModules(json));
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
        throw json.refuse(key, "is set, but Anneal does not support it.");
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

  private static List<String> targetModules(JsonObject json) {
    String key = "target_modules";
    List<String> names = json.isText(key) ? List.of(json.text(key)) : json.texts(key);
    try {
      LoraTargets.resolve(names);
    } catch (InvalidModelException e) {
      throw json.refuse(key, "does not fit: " + e.getMessage());
    }
    return names;
  }

  /** The text of an {@code adapter_config.json} that PEFT and vLLM load. */
  public String toJson() {
    ObjectNode json = JsonObject.create();
    json.putObject("alpha_pattern");
    json.putNull("auto_mapping");
    json.put("base_model_name_or_path", baseModel);
    json.put("bias", "none");
    json.put("fan_in_fan_out", false);
    json.put("inference_mode", true);
    json.put("init_lora_weights", true);
    json.putNull("layers_pattern");
    json.putNull("layers_to_transform");
    putAlpha(json);
    json.put("lora_dropout", lora.dropout());
    json.putNull("modules_to_save");
    json.put("peft_type", "LORA");
    json.put("r", lora.r());
    json.putObject("rank_pattern");
    json.putNull("revision");
    ArrayNode targets = json.putArray("target_modules");
    LoraTargets.resolve(lora.targetModules()).stream()
        .map(module -> module.moduleName())
        .sorted()
        .forEach(targets::add);
    json.put("task_type", "CAUSAL_LM");
    json.put("use_dora", false);
    json.put("use_rslora", lora.rslora());
    return JsonObject.print(json);
  }

  /** PEFT declares it as an integer, and vLLM insists, so a whole number is written as one. */
  private void putAlpha(ObjectNode json) {
    if (lora.alpha() == Math.rint(lora.alpha())) {
      json.put("lora_alpha", (long) lora.alpha());
    } else {
      json.put("lora_alpha", lora.alpha());
    }
  }
}
