package dev.anneal.training.model.config;

import dev.anneal.training.model.LinearModule;
import java.util.LinkedHashMap;
import java.util.Map;

/** The names and shapes of a Llama's weights in a Hugging Face state dict. */
public final class TensorNames {

  /** The embedding, {@code [vocab_size, hidden_size]}. */
  public static final String EMBED_TOKENS = "model.embed_tokens.weight";

  /** The RMSNorm after the last layer, {@code [hidden_size]}. */
  public static final String NORM = "model.norm.weight";

  /** The head, {@code [vocab_size, hidden_size]}; absent where embeddings are tied. */
  public static final String LM_HEAD = "lm_head.weight";

  private TensorNames() {}

  /** The RMSNorm before attention, {@code [hidden_size]}. */
  public static String inputLayernorm(int layer) {
    return layer(layer) + ".input_layernorm.weight";
  }

  /** The RMSNorm before the MLP, {@code [hidden_size]}. */
  public static String postAttentionLayernorm(int layer) {
    return layer(layer) + ".post_attention_layernorm.weight";
  }

  /** The shape of every weight by its name, from the embedding to the head. */
  public static Map<String, long[]> shapes(LlamaConfig config) {
    long hiddenSize = config.hiddenSize();
    Map<String, long[]> shapes = new LinkedHashMap<>();
    shapes.put(EMBED_TOKENS, new long[] {config.vocabSize(), hiddenSize});
    for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
      shapes.put(inputLayernorm(layer), new long[] {hiddenSize});
      for (LinearModule module : LinearModule.values()) {
        shapes.put(
            module.weightName(layer),
            new long[] {module.outFeatures(config), module.inFeatures(config)});
      }
      shapes.put(postAttentionLayernorm(layer), new long[] {hiddenSize});
    }
    shapes.put(NORM, new long[] {hiddenSize});
    if (!config.tieWordEmbeddings()) {
      shapes.put(LM_HEAD, new long[] {config.vocabSize(), hiddenSize});
    }
    return shapes;
  }

  public static String layer(int layer) {
    return "model.layers." + layer;
  }
}
