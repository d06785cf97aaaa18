package dev.anneal.training.model;

import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.TensorNames;

/** The seven linear modules of a decoder layer, in the order that a layer computes them. */
public enum LinearModule {
  Q_PROJ("self_attn", "q_proj"),
  K_PROJ("self_attn", "k_proj"),
  V_PROJ("self_attn", "v_proj"),
  O_PROJ("self_attn", "o_proj"),
  GATE_PROJ("mlp", "gate_proj"),
  UP_PROJ("mlp", "up_proj"),
  DOWN_PROJ("mlp", "down_proj");

  private final String parent;
  private final String moduleName;

  LinearModule(String parent, String moduleName) {
    this.parent = parent;
    this.moduleName = moduleName;
  }

  /** Its name in Hugging Face's model, e.g. {@code q_proj}, as PEFT's target modules give it. */
  public String moduleName() {
    return moduleName;
  }

  /** Rows of the weight {@code [out, in]}. */
  public int outFeatures(LlamaConfig config) {
    return switch (this) {
      case Q_PROJ -> config.numAttentionHeads() * config.headDim();
      case K_PROJ, V_PROJ -> config.numKeyValueHeads() * config.headDim();
      case GATE_PROJ, UP_PROJ -> config.intermediateSize();
      case O_PROJ, DOWN_PROJ -> config.hiddenSize();
    };
  }

  /** Columns of the weight {@code [out, in]}. */
  public int inFeatures(LlamaConfig config) {
    return switch (this) {
      case O_PROJ -> config.numAttentionHeads() * config.headDim();
      case DOWN_PROJ -> config.intermediateSize();
      case Q_PROJ, K_PROJ, V_PROJ, GATE_PROJ, UP_PROJ -> config.hiddenSize();
    };
  }

  /** Name of the weight {@code [out, in]} in the state dict. */
  public String weightName(int layer) {
    return path(layer) + ".weight";
  }

  /** Name of the adapter's {@code A [r, in]} in a PEFT adapter. */
  public String loraAName(int layer) {
    return "base_model.model." + path(layer) + ".lora_A.weight";
  }

  /** Name of the adapter's {@code B [out, r]} in a PEFT adapter. */
  public String loraBName(int layer) {
    return "base_model.model." + path(layer) + ".lora_B.weight";
  }

  /** Name of the lengths {@code [out]} of DoRA's rows in a PEFT adapter. */
  public String loraMagnitudeName(int layer) {
    return "base_model.model." + path(layer) + ".lora_magnitude_vector";
  }

  /** Its name in the model, as PEFT's regular expressions see it. */
  public String path(int layer) {
    return TensorNames.layer(layer) + "." + parent + "." + moduleName;
  }
}
