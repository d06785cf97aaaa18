package dev.anneal.training.model.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Golden;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.model.LinearModule;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class TensorNamesTest {

  @Test
  void namesAndShapesAreThoseOfTheReferenceModel() throws IOException {
    var shapes = TensorNames.shapes(LlamaConfig.read(Golden.folder("model")));

    try (SafetensorsIndex index =
        SafetensorsIndex.open(Golden.folder("model"), SafetensorsIndex.MODEL_FILE)) {
      assertThat(shapes.keySet()).isEqualTo(index.names());
      for (var tensor : shapes.entrySet()) {
        assertThat(index.entry(tensor.getKey()).shape())
            .as(tensor.getKey())
            .isEqualTo(tensor.getValue());
      }
    }
  }

  @Test
  void tiedEmbeddingsHaveNoHead() {
    LlamaConfig tied =
        LlamaConfig.parse(
            """
            {"model_type": "llama", "vocab_size": 320, "hidden_size": 64, "intermediate_size": 176,
             "num_hidden_layers": 1, "num_attention_heads": 8, "tie_word_embeddings": true}""",
            "config.json");

    assertThat(TensorNames.shapes(tied))
        .hasSize(2 + 9)
        .doesNotContainKey(TensorNames.LM_HEAD)
        .containsKeys(TensorNames.EMBED_TOKENS, TensorNames.NORM);
  }

  @Test
  void linearModulesFollowHeadDimAndKeyValueHeads() {
    LlamaConfig config = LlamaConfig.named("llama3.1-70b");

    assertThat(LinearModule.Q_PROJ.outFeatures(config)).isEqualTo(8192);
    assertThat(LinearModule.K_PROJ.outFeatures(config)).isEqualTo(1024);
    assertThat(LinearModule.V_PROJ.inFeatures(config)).isEqualTo(8192);
    assertThat(LinearModule.O_PROJ.inFeatures(config)).isEqualTo(8192);
    assertThat(LinearModule.UP_PROJ.outFeatures(config)).isEqualTo(28672);
    assertThat(LinearModule.DOWN_PROJ.inFeatures(config)).isEqualTo(28672);
    assertThat(LinearModule.DOWN_PROJ.weightName(7))
        .isEqualTo("model.layers.7.mlp.down_proj.weight");
    assertThat(LinearModule.O_PROJ.loraBName(0))
        .isEqualTo("base_model.model.model.layers.0.self_attn.o_proj.lora_B.weight");
  }
}
