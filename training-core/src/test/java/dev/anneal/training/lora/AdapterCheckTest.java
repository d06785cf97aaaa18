package dev.anneal.training.lora;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Golden;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SmallSafetensors;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.model.config.LlamaConfig;
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
import org.junit.jupiter.params.provider.ValueSource;

class AdapterCheckTest {
  private static final List<String> NAMES = List.of("q_proj", "k_proj");
  private static final LoraSpec SPEC = new LoraSpec(2, 4, 0.1, false, NAMES);

  private static final LlamaConfig CONFIG =
      LlamaConfig.parse(
          """
          {"model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
           "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}""",
          "config.json");

  @TempDir Path path;
  private Path weights;
  private List<TensorSpec> tensors;

  @BeforeEach
  void write() throws IOException {
    weights = path.resolve("adapter_model.safetensors");
    tensors = new ArrayList<>();
    for (int layer = 0; layer < 2; layer++) {
      add("layers.%s.self_attn.q_proj.lora_A".formatted(layer), 2, 8);
      add("layers.%s.self_attn.q_proj.lora_B".formatted(layer), 8, 2);
      add("layers.%s.self_attn.k_proj.lora_A".formatted(layer), 2, 8);
      add("layers.%s.self_attn.k_proj.lora_B".formatted(layer), 4, 2);
    }
    SmallSafetensors.write(weights, tensors);
    writeConfig(SPEC);
  }

  private void add(String module, long... shape) {
    String name = "base_model.model.model." + module + ".weight";
    tensors.add(new TensorSpec(name, SafetensorsDType.BF16, shape));
  }

  @ParameterizedTest
  @ValueSource(strings = {"adapter_init", "adapter_final"})
  void acceptsTheReferenceAdapters(String adapter) throws IOException {
    LlamaConfig config = LlamaConfig.read(Golden.folder("model"));
    LoraSpec spec = new LoraSpec(8, 16, 0, false, List.of("all-linear"));

    assertThatCode(
            () -> AdapterCheck.check(Golden.folder(adapter), config, LoraLayout.of(spec, config)))
        .doesNotThrowAnyException();
  }

  @Test
  void acceptsAnotherOrderOfTargetsAndAnotherDropout() {
    assertThatCode(() -> check(new LoraSpec(2, 4, 0, false, List.of("k_proj", "q_proj"))))
        .doesNotThrowAnyException();
  }

  @Test
  void anotherRankIsNamed() {
    refused(
        new LoraSpec(4, 8, 0, false, NAMES),
        "rank of model.layers.0.self_attn.q_proj 2",
        "run has 4");
  }

  @Test
  void anotherScaleIsNamed() {
    refused(new LoraSpec(2, 8, 0, false, NAMES), "scale", " 2.0 ", "has 4.0");
    refused(new LoraSpec(2, 4, 0, true, NAMES), "scale", " 2.0 ", "has 2.82");
  }

  @Test
  void otherTargetModulesAreNamed() {
    refused(
        new LoraSpec(2, 4, 0, false, List.of("q_proj")),
        "target modules [q_proj, k_proj]",
        "run has [q_proj]");
  }

  @Test
  void otherWordsForTheSameAdapterAreTaken() throws IOException {
    LoraSpec peft =
        new LoraSpec(
            8,
            1,
            0,
            false,
            TargetModules.of(ModuleNames.text(".*attn\\.(q|k)_proj")),
            Map.of(".*_proj", 2),
            Map.of("q_proj", 4.0, "layers.\\d.self_attn.k_proj", 4.0));
    writeConfig(peft);
    assertThatCode(() -> check(SPEC)).doesNotThrowAnyException();
    writeConfig(SPEC);
    assertThatCode(() -> check(peft)).doesNotThrowAnyException();
  }

  @Test
  void aPatternOfAnotherLayerIsNamed() throws IOException {
    writeConfig(
        new LoraSpec(
            2, 4, 0, false, TargetModules.named(NAMES), Map.of("1.self_attn.k_proj", 3), Map.of()));
    refused(SPEC, "rank of model.layers.1.self_attn.k_proj 3", "run has 2");
    writeConfig(
        new LoraSpec(
            2, 4, 0, false, TargetModules.named(NAMES), Map.of(), Map.of("1.+q_proj", 8.0)));
    refused(SPEC, "scale of model.layers.1.self_attn.q_proj 4.0", "run has 2.0");
  }

  @Test
  void targetsThatAreNotThereAreNamedWithTheirFile() throws IOException {
    writeConfig(new LoraSpec(2, 4, 0, false, List.of("c_attn")));
    refused(SPEC, path + "/adapter_config.json: LoRA target module 'c_attn'");
  }

  @Test
  void everyMissingTensorIsNamed() throws IOException {
    for (TensorSpec missing : tensors) {
      SmallSafetensors.write(
          weights,
          tensors.stream().filter(tensor -> !tensor.name().equals(missing.name())).toList());
      refused(SPEC, weights + " lacks tensor " + missing.name());
    }
  }

  @Test
  void aTensorOfAnotherShapeIsNamed() throws IOException {
    TensorSpec b = tensors.remove(1);
    tensors.add(new TensorSpec(b.name(), SafetensorsDType.BF16, 4, 2));
    SmallSafetensors.write(weights, tensors);
    refused(SPEC, b.name() + " has the shape [4, 2]", "[8, 2]");
  }

  @Test
  void anAdapterOfADeeperModelIsRefused() throws IOException {
    add("layers.2.self_attn.q_proj.lora_A", 2, 8);
    SmallSafetensors.write(weights, tensors);
    refused(SPEC, "holds tensor base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight");
  }

  @Test
  void everyTruncationIsRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(weights);
    for (int length = 0; length < bytes.length; length++) {
      Files.write(weights, Arrays.copyOf(bytes, length));
      refused(SPEC, weights.toString(), "truncated");
    }
  }

  @Test
  void missingFilesAreNamed() throws IOException {
    Files.delete(weights);
    refused(SPEC, path + " has neither adapter_model.safetensors");
    Files.delete(path.resolve("adapter_config.json"));
    refused(SPEC, "no adapter in " + path, "it has no adapter_config.json");
  }

  private void writeConfig(LoraSpec spec) throws IOException {
    Files.writeString(
        path.resolve("adapter_config.json"), new PeftConfig(spec, "some/model").toJson());
  }

  private void check(LoraSpec spec) throws IOException {
    AdapterCheck.check(new LocalModelFolder(path), CONFIG, LoraLayout.of(spec, CONFIG));
  }

  private void refused(LoraSpec spec, String... problem) {
    assertThatThrownBy(() -> check(spec))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContainingAll(problem);
  }
}
