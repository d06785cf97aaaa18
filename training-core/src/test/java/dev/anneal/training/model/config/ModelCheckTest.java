package dev.anneal.training.model.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Golden;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SmallSafetensors;
import dev.anneal.training.io.TensorSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ModelCheckTest {
  static final String CONFIG =
      """
      {"model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
       "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}""";

  static final String TIED = CONFIG.replace("}", ", \"tie_word_embeddings\": true}");

  @TempDir Path path;
  private Path weights;
  private Map<String, long[]> shapes;

  @BeforeEach
  void write() throws IOException {
    weights = path.resolve("model.safetensors");
    shapes = TensorNames.shapes(LlamaConfig.parse(CONFIG, "config.json"));
    writeConfig(CONFIG);
    SmallSafetensors.write(weights, SafetensorsDType.F32, shapes);
  }

  @Test
  void acceptsTheReferenceModel() throws IOException {
    assertThat(ModelCheck.check(Golden.folder("model")).config().numHiddenLayers()).isEqualTo(3);
  }

  @ParameterizedTest
  @EnumSource(
      value = SafetensorsDType.class,
      names = {"F32", "F16", "BF16"})
  void acceptsEveryWeightType(SafetensorsDType dtype) throws IOException {
    SmallSafetensors.write(weights, dtype, shapes);
    assertThat(check().vocabSize()).isEqualTo(11);
  }

  @ParameterizedTest
  @EnumSource(
      value = SafetensorsDType.class,
      names = {"F32", "F16", "BF16"},
      mode = EnumSource.Mode.EXCLUDE)
  void refusesEveryOtherType(SafetensorsDType dtype) throws IOException {
    SmallSafetensors.write(weights, dtype, shapes);
    refused("tensor model.embed_tokens.weight is " + dtype, weights.toString());
  }

  @Test
  void acceptsShardsAndChecksEachOfThem() throws IOException {
    List<TensorSpec> tensors = specs();
    int half = tensors.size() / 2;
    SmallSafetensors.writeShards(
        path,
        List.of(
            tensors.subList(0, half),
            tensors.subList(half, tensors.size()),
            List.of(new TensorSpec("extra", SafetensorsDType.U8, 5))));
    Files.delete(weights);

    assertThat(check().numHiddenLayers()).isEqualTo(1);

    truncate(path.resolve("s3.safetensors"));
    refused("s3.safetensors is truncated", "tensor extra");
  }

  @Test
  void everyTruncationIsRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(weights);
    for (int length = 0; length < bytes.length; length++) {
      Files.write(weights, Arrays.copyOf(bytes, length));
      refused(weights.toString(), "truncated");
    }
  }

  @Test
  void everyMissingTensorIsNamed() throws IOException {
    for (TensorSpec missing : specs()) {
      List<TensorSpec> rest = new ArrayList<>(specs());
      rest.removeIf(tensor -> tensor.name().equals(missing.name()));
      SmallSafetensors.write(weights, rest);
      refused(weights + " lacks tensor " + missing.name());
    }
  }

  @Test
  void aTensorOfAnotherShapeIsNamed() throws IOException {
    shapes.put("model.layers.0.self_attn.k_proj.weight", new long[] {8, 8});
    SmallSafetensors.write(weights, SafetensorsDType.F32, shapes);
    refused("tensor model.layers.0.self_attn.k_proj.weight has the shape [8, 8]", "[4, 8]");
  }

  @Test
  void tiedEmbeddingsNeedNoHead() throws IOException {
    shapes.remove(TensorNames.LM_HEAD);
    SmallSafetensors.write(weights, SafetensorsDType.F32, shapes);
    refused("lacks tensor lm_head.weight", "set tie_word_embeddings to true");

    writeConfig(TIED);
    assertThat(check().tieWordEmbeddings()).isTrue();
  }

  @Test
  void tensorsThatNothingReadsAreNamed() throws IOException {
    assertThat(checked().notes()).isEmpty();

    List<TensorSpec> tensors = new ArrayList<>(specs());
    String bias = "model.layers.0.self_attn.q_proj.bias";
    tensors.add(new TensorSpec(bias, SafetensorsDType.F32, 8));
    SmallSafetensors.write(weights, tensors);
    assertThat(checked().notes())
        .containsExactly(
            "1 tensor of the weights in %s is not read, as in transformers: %s."
                .formatted(path, bias));

    for (String name : List.of("score.weight", "model.rotary_emb.inv_freq", "v_head.weight")) {
      tensors.add(new TensorSpec(name, SafetensorsDType.I8, 3));
    }
    SmallSafetensors.write(weights, tensors);
    assertThat(checked().notes())
        .containsExactly(
            "4 tensors of the weights in %s are not read, as in transformers: %s, model.rotary_emb.inv_freq, score.weight and 1 more."
                .formatted(path, bias));
  }

  @Test
  void aMissingConfigurationIsNamed() throws IOException {
    Files.delete(path.resolve("config.json"));
    refused(path + " has no config.json");
  }

  @Test
  void missingWeightsAreNamed() throws IOException {
    Files.delete(weights);
    refused(path + " has neither model.safetensors nor model.safetensors.index.json");
  }

  private List<TensorSpec> specs() {
    return shapes.entrySet().stream()
        .map(shape -> new TensorSpec(shape.getKey(), SafetensorsDType.F32, shape.getValue()))
        .toList();
  }

  private static void truncate(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, bytes.length - 1));
  }

  private void writeConfig(String json) throws IOException {
    Files.writeString(path.resolve("config.json"), json);
  }

  private LlamaConfig check() throws IOException {
    return checked().config();
  }

  private ModelCheck.Checked checked() throws IOException {
    return ModelCheck.check(new LocalModelFolder(path));
  }

  private void refused(String... problem) {
    assertThatThrownBy(this::check)
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContainingAll(problem);
  }
}
