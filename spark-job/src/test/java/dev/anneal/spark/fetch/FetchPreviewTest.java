package dev.anneal.spark.fetch;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.hub.HubEnvironment;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.TensorSpec;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What would be fetched, told from the headers of weight files. */
class FetchPreviewTest {
  private static final int LAYERS = 126;
  private static final int HIDDEN = 16_384;
  private static final int INTERMEDIATE = 53_248;
  private static final int KEYS = 1_024;
  private static final int VOCABULARY = 128_256;

  private HubServer server;

  @BeforeEach
  void start() throws IOException {
    server = new HubServer();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void countsLlama405BExactlyAndReadsNoWeights() throws IOException {
    weights("model-00001-of-00128.safetensors", embedding("model.embed_tokens.weight"));
    for (int layer = 0; layer < LAYERS; layer++) {
      weights("model-layer-%s.safetensors".formatted(layer), layer(layer));
    }
    weights(
        "model-00128-of-00128.safetensors",
        List.of(tensor("model.norm.weight", HIDDEN), tensor("lm_head.weight", VOCABULARY, HIDDEN)));
    server.endless("original/consolidated.00.pth", new byte[0], 1_000_000_000_000L);
    server.small("config.json", "{}");

    String text = preview();
    assertThat(text)
        .contains("BF16         1,137     405,853,388,800       811,706,777,600")
        .contains("total        1,137     405,853,388,800       811,706,777,600")
        .contains("Not counted above: 1000.0 GB in other weight files (original/")
        .contains("130 files, 1811.7 GB");
    assertThat(server.contents()).hasSize(128);
    assertThat(server.contents()).allSatisfy(a -> assertThat(a.range()).isEqualTo("bytes=0-65535"));
  }

  @Test
  void countsEachTypeAndLongHeaders() throws IOException {
    List<TensorSpec> many = new ArrayList<>();
    for (int i = 0; i < 3000; i++) {
      many.add(new TensorSpec("a.tensor.with.a.long.name." + i, SafetensorsDType.F32, 2, 3));
    }
    many.add(new TensorSpec("scales", SafetensorsDType.F8_E4M3, 5));
    weights("adapter.safetensors", many);

    assertThat(preview())
        .contains("F32          3,000              18,000                72,000")
        .contains("F8_E4M3          1                   5                     5")
        .contains("total        3,001              18,005                72,005");
  }

  @Test
  void namesAFileThatIsNone() throws IOException {
    server.large("model.safetensors", "no weights at all".getBytes(UTF_8));
    assertThatThrownBy(this::preview)
        .isInstanceOf(InvalidModelException.class)
        .hasMessageContaining("'model.safetensors' of the hub");
  }

  private String preview() throws IOException {
    return new Fetch(
            FetchRequest.model("org/name", null),
            HubEnvironment.of(server.endpoint(), null),
            new FetchSettings(FetchTest.PATIENCE, 1 << 20),
            null)
        .preview();
  }

  private void weights(String name, List<TensorSpec> tensors) throws IOException {
    ByteArrayOutputStream header = new ByteArrayOutputStream();
    try {
      SafetensorsWriter.write(
          header,
          tensors,
          (tensor, sink) -> {
            throw new HeaderIsWritten();
          });
    } catch (HeaderIsWritten stop) {
      long data = tensors.stream().mapToLong(TensorSpec::byteSize).sum();
      server.endless(name, header.toByteArray(), header.size() + data);
    }
  }

  private static final class HeaderIsWritten extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private static List<TensorSpec> embedding(String name) {
    return List.of(tensor(name, VOCABULARY, HIDDEN));
  }

  private static List<TensorSpec> layer(int layer) {
    String prefix = "model.layers." + layer + ".";
    return List.of(
        tensor(prefix + "self_attn.q_proj.weight", HIDDEN, HIDDEN),
        tensor(prefix + "self_attn.k_proj.weight", KEYS, HIDDEN),
        tensor(prefix + "self_attn.v_proj.weight", KEYS, HIDDEN),
        tensor(prefix + "self_attn.o_proj.weight", HIDDEN, HIDDEN),
        tensor(prefix + "mlp.gate_proj.weight", INTERMEDIATE, HIDDEN),
        tensor(prefix + "mlp.up_proj.weight", INTERMEDIATE, HIDDEN),
        tensor(prefix + "mlp.down_proj.weight", HIDDEN, INTERMEDIATE),
        tensor(prefix + "input_layernorm.weight", HIDDEN),
        tensor(prefix + "post_attention_layernorm.weight", HIDDEN));
  }

  private static TensorSpec tensor(String name, long... shape) {
    return new TensorSpec(name, SafetensorsDType.BF16, shape);
  }
}
