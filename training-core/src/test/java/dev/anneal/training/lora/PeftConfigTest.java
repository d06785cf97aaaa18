package dev.anneal.training.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.Golden;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.JsonObject;
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
      {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"]%s}\
      """;

  @Test
  void readsTheReferenceAdapter() throws IOException {
    PeftConfig config = PeftConfig.read(Golden.folder("adapter_init"));

    assertThat(config.lora().r()).isEqualTo(8);
    assertThat(config.lora().alpha()).isEqualTo(16);
    assertThat(config.lora().scale()).isEqualTo(2);
    assertThat(config.lora().dropout()).isZero();
    assertThat(config.lora().rslora()).isFalse();
    assertThat(config.lora().targetModules().display())
        .containsExactlyInAnyOrder(
            "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj");
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

    assertThat(PeftConfig.parse(JsonObject.parse(config.toJson(), "written"))).isEqualTo(config);
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

    assertThat(PeftConfig.parse(JsonObject.parse(json, "a.json")).lora().targetModules().display())
        .hasSize(7);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "modules_to_save": ["lm_head"]         | modules_to_save
          "fan_in_fan_out": true                 | fan_in_fan_out
          "layer_replication": [[0, 2]]          | layer_replication
          "lora_bias": true                      | lora_bias
          "target_parameters": ["x"]             | target_parameters
          "trainable_token_indices": [1]         | trainable_token_indices
          "bias": "all"                          | bias
          "init_lora_weights": "pissa"           | init_lora_weights
          "init_lora_weights": "olora"           | init_lora_weights
          "use_rslora": "yes"                    | use_rslora
          "lora_dropout": "0.1"                  | lora_dropout
          "rank_pattern": {"q_proj": 0}          | rank_pattern.q_proj
          "rank_pattern": {"q_proj": "4"}        | rank_pattern.q_proj
          "rank_pattern": {"(q": 4}              | rank_pattern
          "rank_pattern": [4]                    | rank_pattern
          "alpha_pattern": {"q_proj": null}      | alpha_pattern.q_proj
          "exclude_modules": "(q"                | exclude_modules
          "exclude_modules": [1]                 | exclude_modules
          "layers_to_transform": ["0"]           | layers_to_transform
          "layers_pattern": "h"                  | layers_pattern
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
          ["q_proj"] | "(?i)q"      | target_modules does not fit: LoRA's regular expression '(?i)q'
          ["q_proj"] | ".*", "layers_to_transform": [0] | layers_to_transform is set, but PEFT
          ["q_proj"] | [1]          | target_modules must be a list of texts
          """)
  void unusableSettingsAreRefused(String good, String bad, String problem) {
    assertThatThrownBy(
            () ->
                PeftConfig.parse(
                    JsonObject.parse(PLAIN.formatted("").replace(good, bad), "a.json")))
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
  void patternsAndLayersAreReadInTheirOrder() {
    PeftConfig config =
        parse(
            """
            , "rank_pattern": {"v_proj": 4, "up.*": 2, "a": 3}, "alpha_pattern": {"q": 1.5, "b": 8},
             "exclude_modules": ".*\\\\.0\\\\..*", "layers_to_transform": 1, "layers_pattern": ["layers"]\
            """);

    assertThat(config.lora())
        .isEqualTo(
            new LoraSpec(
                8,
                16,
                0,
                false,
                new TargetModules(
                    ModuleNames.listed(List.of("q_proj")),
                    new ModuleNames.Matching(".*\\.0\\..*"),
                    List.of(1)),
                Map.of("v_proj", 4, "up.*", 2, "a", 3),
                Map.of("q", 1.5, "b", 8.0)));
    assertThat(config.lora().rankPattern().keySet()).containsExactly("v_proj", "up.*", "a");
    assertThat(PeftConfig.parse(JsonObject.parse(config.toJson(), "written"))).isEqualTo(config);
  }

  @Test
  void aTextIsARegularExpression() {
    String json = PLAIN.formatted("").replace("[\"q_proj\"]", "\".*_proj\"");
    PeftConfig config = PeftConfig.parse(JsonObject.parse(json, "a.json"));

    assertThat(config.lora().targetModules().names())
        .isEqualTo(new ModuleNames.Matching(".*_proj"));
    assertThat(PeftConfig.parse(JsonObject.parse(config.toJson(), "written"))).isEqualTo(config);
  }

  @Test
  void everyTruncationIsRefused() {
    String whole = PLAIN.formatted("");
    for (int length = 0; length < whole.length(); length++) {
      String part = whole.substring(0, length);
      assertThatThrownBy(() -> PeftConfig.parse(JsonObject.parse(part, "a.json")))
          .as(part)
          .isInstanceOf(InvalidModelException.class)
          .hasMessageStartingWith("a.json");
    }
  }

  private static List<String> texts(JsonNode list) {
    return list.valueStream().map(JsonNode::textValue).sorted().toList();
  }

  private static PeftConfig parse(String settings) {
    return PeftConfig.parse(JsonObject.parse(PLAIN.formatted(settings), "adapter_config.json"));
  }
}
