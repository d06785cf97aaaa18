package dev.anneal.training.model.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Golden;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.LocalModelFolder;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LlamaConfigTest {

  /** Only what transformers has no default for that a Llama could be meant by. */
  private static final String MINIMAL =
      """
      {"model_type": "llama", "vocab_size": 320, "hidden_size": 64, "intermediate_size": 176,
       "num_hidden_layers": 3, "num_attention_heads": 8%s}""";

  private static final String LLAMA3 =
      """
      {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
       "original_max_position_embeddings": 32}""";

  @Test
  void readsTheReferenceConfiguration() throws IOException {
    assertThat(LlamaConfig.read(Golden.folder("model")))
        .isEqualTo(
            new LlamaConfig(
                320,
                64,
                176,
                3,
                8,
                2,
                8,
                1e-5,
                new RopeScaling(8, 1, 4, 32),
                500_000,
                512,
                false,
                1,
                List.of(2)));
  }

  @Test
  void ropeParametersMeanTheSameAsRopeThetaWithRopeScaling() {
    LlamaConfig published = parse(", \"rope_theta\": 5e5, \"rope_scaling\": " + LLAMA3);
    LlamaConfig newer =
        parse(", \"rope_parameters\": " + LLAMA3.replace("{", "{\"rope_theta\": 500000.0, "));

    assertThat(published.ropeScaling()).isEqualTo(new RopeScaling(8, 1, 4, 32));
    assertThat(published.ropeTheta()).isEqualTo(500_000);
    assertThat(newer).isEqualTo(published);
  }

  @Test
  void theOlderNameOfTheRopeTypeIsRead() {
    assertThat(parse(", \"rope_scaling\": " + LLAMA3.replace("rope_type", "type")))
        .isEqualTo(parse(", \"rope_scaling\": " + LLAMA3));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ", \"rope_scaling\": null",
        ", \"rope_scaling\": {\"rope_type\": \"default\"}",
        ", \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0}"
      })
  void plainRotaryEmbeddingsHaveNoScaling(String rope) {
    assertThat(parse(rope).ropeScaling()).isNull();
    assertThat(parse(rope).ropeTheta()).isEqualTo(10_000);
  }

  @Test
  void whatIsMissingIsWhatTransformersTakesItFor() {
    LlamaConfig config = parse("");

    assertThat(config.numKeyValueHeads()).isEqualTo(8);
    assertThat(config.headDim()).isEqualTo(8);
    assertThat(config.rmsNormEps()).isEqualTo(1e-6);
    assertThat(config.maxPositionEmbeddings()).isEqualTo(2048);
    assertThat(config.tieWordEmbeddings()).isFalse();
    assertThat(config.bosTokenId()).isNull();
    assertThat(config.eosTokenIds()).isEmpty();
  }

  @Test
  void headDimMayDifferFromTheQuotient() {
    assertThat(parse(", \"head_dim\": 32").headDim()).isEqualTo(32);
    assertThat(parse(", \"head_dim\": null").headDim()).isEqualTo(8);
  }

  @Test
  void oneOrSeveralTokensEndAText() {
    assertThat(parse(", \"eos_token_id\": 7").eosTokenIds()).containsExactly(7);
    assertThat(parse(", \"eos_token_id\": [7, 8, 9]").eosTokenIds()).containsExactly(7, 8, 9);
    assertThat(parse(", \"eos_token_id\": null").eosTokenIds()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "model_type": "llama"       | "model_type": "qwen2"     | model_type is 'qwen2'
          "model_type": "llama"       | "hidden_act": "silu"      | model_type is missing
          "hidden_size": 64           | "hidden_size": 0          | hidden_size must be more than 0, not 0
          "hidden_size": 64           | "hidden_size": 60         | hidden_size must be a multiple of num_attention_heads
          "hidden_size": 64           | "hidden_size": "64"       | hidden_size must be a whole number, not "64"
          "hidden_size": 64           | "hidden_size": 64.5       | hidden_size must be a whole number, not 64.5
          "hidden_size": 64           | "hidden_size": 4294967296 | hidden_size must be a whole number of 32 bits
          "hidden_size": 64           | "hidden_size": 56         | head_dim must be even for rotary embeddings, not 7
          "vocab_size": 320           | "vocab_size": null        | vocab_size is missing
          "num_hidden_layers": 3      | "num_hidden_layers": -3   | num_hidden_layers must be more than 0
          """)
  void unusableShapesAreRefused(String good, String bad, String problem) {
    assertThatThrownBy(() -> LlamaConfig.parse(MINIMAL.formatted("").replace(good, bad), "c.json"))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageStartingWith("c.json: ")
        .hasMessageContaining(problem);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "architectures": ["MistralForCausalLM"]     | architectures is [MistralForCausalLM]
          "hidden_act": "gelu"                        | hidden_act is 'gelu'
          "attention_bias": true                      | attention_bias is true
          "mlp_bias": true                            | mlp_bias is true
          "attention_bias": "no"                      | attention_bias must be true or false
          "quantization_config": {"bits": 4}          | quantization_config is set
          "num_key_value_heads": 3                    | num_key_value_heads must divide
          "num_key_value_heads": 16                   | num_key_value_heads must divide
          "head_dim": 7                               | head_dim must be even
          "rms_norm_eps": 0                           | rms_norm_eps must be more than 0
          "rms_norm_eps": 1e999                       | rms_norm_eps must be a number
          "rope_theta": -1                            | rope_theta must be more than 0
          "rope_scaling": "llama3"                    | rope_scaling must be an object
          "rope_scaling": {"rope_type": "yarn"}       | rope_scaling.rope_type is 'yarn'
          "rope_scaling": {"type": "linear"}          | rope_scaling.type is 'linear'
          "rope_parameters": {"rope_type": "dynamic"} | rope_parameters.rope_type is 'dynamic'
          "rope_scaling": {"rope_type": "llama3"}     | rope_scaling.factor is missing
          "eos_token_id": "x"                         | eos_token_id must be a whole number
          "eos_token_id": [1, "x"]                    | eos_token_id must be a whole number
          "tie_word_embeddings": 1                    | tie_word_embeddings must be true or false
          """)
  void whatAnnealDoesNotComputeIsRefused(String setting, String problem) {
    assertThatThrownBy(() -> parse(", " + setting))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageStartingWith("config.json: ")
        .hasMessageContaining(problem);
  }

  @Test
  void ropeFactorsInTheWrongOrderAreRefused() {
    String swapped = LLAMA3.replace("\"high_freq_factor\": 4.0", "\"high_freq_factor\": 1.0");

    assertThatThrownBy(() -> parse(", \"rope_scaling\": " + swapped))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("high_freq_factor must be more than low_freq_factor");
  }

  @Test
  void everyTruncationIsRefused() {
    String whole = MINIMAL.formatted("");
    for (int length = 0; length < whole.length(); length++) {
      String part = whole.substring(0, length);
      assertThatThrownBy(() -> LlamaConfig.parse(part, "config.json"))
          .as(part)
          .isInstanceOf(InvalidModelException.class)
          .hasMessageStartingWith("config.json");
    }
  }

  @Test
  void aMissingFileIsNamed(@TempDir Path empty) {
    assertThatThrownBy(() -> LlamaConfig.read(new LocalModelFolder(empty)))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining(empty + " has no config.json");
  }

  @Test
  void bytesThatAreNoTextAreRefused(@TempDir Path path) throws IOException {
    Files.write(path.resolve("config.json"), new byte[] {0, 0, (byte) 0xff, (byte) 0xfe, '{', '}'});

    assertThatThrownBy(() -> LlamaConfig.read(new LocalModelFolder(path)))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("not UTF-8");
  }

  @ParameterizedTest
  @CsvSource({
    "llama3.1-8b, 8030261248",
    "llama3.1-70b, 70553706496",
    "llama3.1-405b, 405853388800"
  })
  void namedShapesHaveThePublishedNumberOfParameters(String name, long parameters) {
    long sum =
        TensorNames.shapes(LlamaConfig.named(name)).values().stream()
            .mapToLong(shape -> shape.length == 1 ? shape[0] : shape[0] * shape[1])
            .sum();
    assertThat(sum).isEqualTo(parameters);
  }

  @Test
  void anUnknownNameIsRefusedWithTheKnownOnes() {
    assertThatThrownBy(() -> LlamaConfig.named("llama3.1-9b"))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContainingAll("'llama3.1-9b'", "llama3.1-8b", "llama3.1-405b");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ", \"tie_word_embeddings\": true, \"head_dim\": 16, \"eos_token_id\": [1, 2]",
        ", \"bos_token_id\": 3, \"eos_token_id\": 4, \"rope_theta\": 123.5"
      })
  void whatIsWrittenReadsTheSame(String settings) {
    LlamaConfig config = parse(settings);

    assertThat(LlamaConfig.parse(config.toJson("float32"), "written")).isEqualTo(config);
  }

  @Test
  void writesWhatHuggingFaceReads() {
    LlamaConfig config = LlamaConfig.named("llama3.1-8b");
    String json = config.toJson("bfloat16");

    assertThat(LlamaConfig.parse(json, "written")).isEqualTo(config);
    assertThat(json)
        .contains(
            "\"architectures\": [\n    \"LlamaForCausalLM\"\n  ]",
            "\"torch_dtype\": \"bfloat16\"",
            "\"rope_theta\": 500000.0",
            "\"original_max_position_embeddings\": 8192",
            "\"rope_type\": \"llama3\"",
            "\"eos_token_id\": 128001");
  }

  @Test
  void travelsToExecutors() throws IOException, ClassNotFoundException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(LlamaConfig.named("llama3.1-8b"));
    }
    try (var in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      assertThat(in.readObject()).isEqualTo(LlamaConfig.named("llama3.1-8b"));
    }
  }

  private static LlamaConfig parse(String settings) {
    return LlamaConfig.parse(MINIMAL.formatted(settings), "config.json");
  }
}
