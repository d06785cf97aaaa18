package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs with DoRA and PiSSA, and what they publish, in a session of this process. */
class VariantRunTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path dir;

  private String run(Map<String, Object> settings) throws IOException {
    Map<String, Object> config = new HashMap<>(settings);
    config.put("output.path", dir.resolve("out").toString());
    config.put("training.max_steps", 2);
    config.put("cluster.nodes", 1);
    config.put("training.micro_batch_size", 2);
    config.put("data.limit", 60);
    config.put("data.eval_rows", 2);
    config.put("evaluation.sample_rows", 0);
    config.put("lora.r", 4);
    config.put("lora.target_modules", List.of("q_proj", "v_proj"));
    StringWriter said = new StringWriter();
    try (SparkSession spark = LocalSpark.session(1)) {
      Anneal.on(spark)
          .printTo(new PrintWriter(said))
          .run(CONF.resolve("tiny.yaml").toString(), config);
    }
    return said.toString();
  }

  private JsonNode json(String file) throws IOException {
    return JSON.readTree(dir.resolve("out").resolve(file).toFile());
  }

  @Test
  void doraIsPublishedMergedToo() throws IOException {
    String said = run(Map.of("lora.use_dora", true));
    Path merged = dir.resolve("out/merged");
    assertThat(said)
        .contains("Note: model and adapter are published as one too")
        .contains("likeliest tokens equal")
        .contains("vllm serve " + merged);
    assertThat(json("adapter/adapter_config.json").path("use_dora").asBoolean()).isTrue();
    assertThat(merged.resolve("model.safetensors")).isRegularFile();
    assertThat(merged.resolve("tokenizer.json")).isRegularFile();
    assertThat(json("merged/merge.json").path("state").asText()).isEqualTo("succeeded");
    assertThat(json("run.json").path("merged").asText()).isEqualTo(merged.toString());
    assertThat(json("run.json").at("/vllm/refuses").asText()).contains("DoRA");
    assertThat(json("run.json").at("/ranks/0/peak_memory_bytes").asLong()).isPositive();
    assertThat(Files.readString(dir.resolve("out/report.html"))).contains("vllm serve");
  }

  @Test
  void pissaIsPublishedForTheModelAsItWas() throws IOException {
    String said = run(Map.of("lora.init", "pissa_niter_2"));
    assertThat(said).contains("--max-lora-rank 8");
    JsonNode adapter = json("adapter/adapter_config.json");
    assertThat(adapter.path("r").asInt()).isEqualTo(8);
    assertThat(adapter.path("lora_alpha").asInt()).isEqualTo(64);
    assertThat(adapter.path("init_lora_weights").asBoolean()).isTrue();
    assertThat(dir.resolve("out/merged")).doesNotExist();
  }

  @Test
  void whatCannotBeMergedIsRefusedOrNoted() throws IOException {
    Map<String, Object> random =
        Map.of(
            "model.path",
            "random:" + CONF.resolve("tiny/model/config.json"),
            "model.tokenizer",
            CONF.resolve("tiny/model").toString());
    Map<String, Object> asked = new HashMap<>(random);
    asked.put("output.merged", true);
    assertThatThrownBy(() -> run(asked))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("output.merged is true, but the base weights are random")
        .hasMessageContaining("set output.merged=false");
    Map<String, Object> full = new HashMap<>();
    full.put("output.merged", true);
    full.put("training.mode", "full");
    assertThatThrownBy(() -> run(full)).hasMessageContaining("is a whole model already");
    Map<String, Object> dora = new HashMap<>(random);
    dora.put("lora.use_dora", true);
    assertThat(run(dora))
        .contains("are not published as one, which vLLM would take: the base weights are random");
    assertThat(dir.resolve("out/merged")).doesNotExist();
  }
}
