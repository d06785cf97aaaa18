package dev.anneal.training.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.Golden;
import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PeftConfigTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final String PLAIN =
      """
      {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"]%s}""";

  @Test
  void readsTheReferenceAdapter() throws IOException {
    PeftConfig config = PeftConfig.read(Golden.folder("adapter_init"));

    assertThat(config.lora().r()).isEqualTo(8);
    assertThat(config.lora().alpha()).isEqualTo(16);
    assertThat(config.lora().scale()).isEqualTo(2);
    assertThat(config.lora().dropout()).isZero();
    assertThat(config.lora().rslora()).isFalse();
    assertThat(LoraTargets.resolve(config.lora().targetModules())).hasSize(7);
    assertThat(config.baseModel()).isNull();
  }

  @Test
  void writesTheValuesThatPeftWrote() throws IOException {
    JsonNode reference =
        JSON.readTree(Golden.path("adapter_init").resolve(PeftConfig.FILE).toFile());
    JsonNode written = JSON.readTree(PeftConfig.read(Golden.folder("adapter_init")).toJson());

    assertThat(written.size()).isGreaterThan(15);
    for (var field : written.properties()) {
      String key = field.getKey();
      if (key.equals("target_modules")) {
        assertThat(texts(field.getValue())).isEqualTo(texts(reference.get(key)));
      } else {
        assertThat(field.getValue()).as(key).isEqualTo(reference.get(key));
      }
    }
  }

  @Test
  void writesOnlyKeysThatPeftHasKnownForYears() throws IOException {
    // the fields of LoraConfig in PEFT 0.11 (May 2024), which rejects any other
    List<String> known =
        List.of(
            "alpha_pattern",
            "auto_mapping",
            "base_model_name_or_path",
            "bias",
            "fan_in_fan_out",
            "inference_mode",
            "init_lora_weights",
            "layer_replication",
            "layers_pattern",
            "layers_to_transform",
            "loftq_config",
            "lora_alpha",
            "lora_dropout",
            "megatron_config",
            "megatron_core",
            "modules_to_save",
            "peft_type",
            "r",
            "rank_pattern",
            "revision",
            "target_modules",
            "task_type",
            "use_dora",
            "use_rslora");

    ObjectNode written = (ObjectNode) JSON.readTree(parse("").toJson());
    assertThat(written.properties()).extracting(Map.Entry::getKey).isSubsetOf(known);
  }

  @Test
  void whatIsWrittenReadsTheSame() {
    PeftConfig config =
        new PeftConfig(
            new LoraSpec(64, 24.5, 0.05, true, List.of("down_proj", "q_proj")), "some/Llama \"x\"");

    assertThat(PeftConfig.parse(config.toJson(), "written")).isEqualTo(config);
  }

  @Test
  void targetModulesAreWrittenSortedAndByName() throws IOException {
    PeftConfig config = new PeftConfig(new LoraSpec(4, 8, 0, false, List.of("all-linear")), null);

    JsonNode written = JSON.readTree(config.toJson());
    assertThat(written.get("target_modules"))
        .extracting(JsonNode::textValue)
        .containsExactly(
            "down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj");
    assertThat(written.get("lora_alpha").isInt()).isTrue();
  }

  @Test
  void allLinearIsReadAsPeftWritesIt() {
    String json = PLAIN.formatted("").replace("[\"q_proj\"]", "\"all-linear\"");

    assertThat(LoraTargets.resolve(PeftConfig.parse(json, "a.json").lora().targetModules()))
        .hasSize(7);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "use_dora": true                       | use_dora
          "rank_pattern": {"q_proj": 4}          | rank_pattern
          "alpha_pattern": {"q_proj": 4}         | alpha_pattern
          "modules_to_save": ["lm_head"]         | modules_to_save
          "fan_in_fan_out": true                 | fan_in_fan_out
          "layers_to_transform": [0]             | layers_to_transform
          "layers_to_transform": 0               | layers_to_transform
          "layer_replication": [[0, 2]]          | layer_replication
          "exclude_modules": ["q_proj"]          | exclude_modules
          "lora_bias": true                      | lora_bias
          "target_parameters": ["x"]             | target_parameters
          "trainable_token_indices": [1]         | trainable_token_indices
          "bias": "all"                          | bias
          "init_lora_weights": "pissa"           | init_lora_weights
          "init_lora_weights": "olora"           | init_lora_weights
          "use_rslora": "yes"                    | use_rslora
          "lora_dropout": "0.1"                  | lora_dropout
          """)
  void whatChangesTheMathematicsIsRefusedByKey(String setting, String key) {
    assertThatThrownBy(() -> parse(", " + setting))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageStartingWith("adapter_config.json: " + key + " ");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "LORA"     | "IA3"        | peft_type is 'IA3'
          "LORA"     | null         | peft_type is missing
          "r": 8     | "r": 0       | r must be more than 0
          "r": 8     | "r": "8"     | r must be a whole number
          16         | null         | lora_alpha is missing
          ["q_proj"] | null         | target_modules is missing
          ["q_proj"] | []           | target_modules does not fit: LoRA has no target modules
          ["q_proj"] | ["c_attn"]   | target_modules does not fit: LoRA target module 'c_attn'
          ["q_proj"] | ".*_proj"    | target_modules does not fit: LoRA target module '.*_proj'
          ["q_proj"] | [1]          | target_modules must be a list of texts
          """)
  void unusableSettingsAreRefused(String good, String bad, String problem) {
    assertThatThrownBy(() -> PeftConfig.parse(PLAIN.formatted("").replace(good, bad), "a.json"))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageStartingWith("a.json: " + problem);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        ", \"init_lora_weights\": \"gaussian\"",
        ", \"init_lora_weights\": false",
        ", \"use_dora\": false, \"rank_pattern\": {}, \"modules_to_save\": null",
        ", \"bias\": \"none\", \"some_key_of_next_year\": 7"
      })
  void whatLeavesTheMathematicsAloneIsRead(String settings) {
    assertThat(parse(settings)).isEqualTo(parse(""));
  }

  @Test
  void everyTruncationIsRefused() {
    String whole = PLAIN.formatted("");
    for (int length = 0; length < whole.length(); length++) {
      String part = whole.substring(0, length);
      assertThatThrownBy(() -> PeftConfig.parse(part, "a.json"))
          .as(part)
          .isInstanceOf(InvalidModelException.class)
          .hasMessageStartingWith("a.json");
    }
  }

  private static List<String> texts(JsonNode list) {
    return list.valueStream().map(JsonNode::textValue).sorted().toList();
  }

  private static PeftConfig parse(String settings) {
    return PeftConfig.parse(PLAIN.formatted(settings), "adapter_config.json");
  }
}
