package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole way through {@code submit.sh}: two executor processes, the bundled model and rows. */
class EndToEndIT {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int STEPS = 10;

  @TempDir Path folder;

  @Test
  void oneCommandTrainsAndPublishesAnAdapter() throws Exception {
    Path output = folder.resolve("out");
    try (SubmittedJob job =
        SubmittedJob.start(
            folder,
            "run",
            "--config",
            SubmittedJob.recipe().toString(),
            "--set",
            "training.max_steps=" + STEPS,
            "--set",
            "output.path=out")) {
      job.awaitOutput("step ");
      List<ProcessHandle> processes = job.processes();
      assertThat(job.executors()).hasSize(2);

      assertThat(job.await()).as(job.out() + job.err()).isZero();
      job.assertNothingLeft(processes);
      assertThat(job.out())
          .contains("step %s/%s".formatted(STEPS, STEPS), "Held-out loss", "before", "after")
          .contains(output + "/adapter", output + "/metrics.jsonl", output + "/run.json")
          .contains(output + "/report.html");
      assertThat(job.err()).isEmpty();
    }
    checkAdapter(output.resolve("adapter"));
    checkMetrics(output.resolve("metrics.jsonl"));
    assertThat(Files.readString(output.resolve("report.html")))
        .contains(">succeeded<", "step %s of %s".formatted(STEPS, STEPS), "After training");
    checkRecord(JSON.readTree(output.resolve("run.json").toFile()));
    checkDataset(output.resolve("dataset"));
  }

  private static void checkAdapter(Path adapter) throws IOException {
    JsonNode config = JSON.readTree(adapter.resolve("adapter_config.json").toFile());
    assertThat(config.path("peft_type").asText()).isEqualTo("LORA");
    assertThat(config.path("r").asInt()).isEqualTo(16);
    assertThat(config.path("target_modules")).hasSize(7);
    assertThat(config.path("base_model_name_or_path").asText()).endsWith("/conf/tiny/model");
    Path weights = adapter.resolve("adapter_model.safetensors");
    JsonNode header = safetensorsHeader(weights);
    List<String> names = new ArrayList<>();
    header.fieldNames().forEachRemaining(names::add);
    names.remove("__metadata__");
    assertThat(names)
        .hasSize(4 * 7 * 2)
        .contains("base_model.model.model.layers.3.mlp.down_proj.lora_B.weight");
    JsonNode a = header.path("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
    assertThat(a.path("shape").toString()).isEqualTo("[16,192]");
  }

  private static void checkMetrics(Path file) throws IOException {
    List<JsonNode> steps = new ArrayList<>();
    List<JsonNode> evaluations = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      JsonNode node = JSON.readTree(line);
      (node.has("eval_loss") ? evaluations : steps).add(node);
    }
    assertThat(steps)
        .extracting(s -> s.path("step").asInt())
        .containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    assertThat(steps)
        .allSatisfy(
            step -> {
              assertThat(step.path("loss").isNumber()).isTrue();
              assertThat(step.path("grad_norm").doubleValue()).isPositive();
              assertThat(step.path("tokens").asLong())
                  .isGreaterThan(step.path("target_tokens").asLong());
              assertThat(step.path("tokens_per_second").doubleValue()).isPositive();
              assertThat(step.path("peak_memory_bytes").asLong()).isPositive();
              assertThat(step.path("epoch").doubleValue()).isPositive();
              assertThat(step.has("learning_rate")).isTrue();
            });
    assertThat(evaluations).extracting(e -> e.path("step").asInt()).containsExactly(0, STEPS);
    assertThat(evaluations.get(1).path("eval_loss").doubleValue())
        .isLessThan(evaluations.get(0).path("eval_loss").doubleValue());
  }

  private static void checkRecord(JsonNode run) {
    assertThat(run.path("state").asText()).isEqualTo("succeeded");
    assertThat(run.at("/config/training/max_steps").asInt()).isEqualTo(STEPS);
    assertThat(run.at("/totals/steps").asInt()).isEqualTo(STEPS);
    assertThat(run.at("/versions/spark").asText()).startsWith("4.");
    List<JsonNode> ranks = new ArrayList<>();
    run.path("ranks").forEach(ranks::add);
    assertThat(ranks).extracting(r -> r.path("rank").asInt()).containsExactlyInAnyOrder(0, 1);
    assertThat(ranks).allMatch(r -> r.path("peak_memory_bytes").asLong() > 0);
    assertThat(ranks).extracting(r -> r.path("pid").asLong()).doesNotHaveDuplicates();
  }

  private static void checkDataset(Path dataset) throws IOException {
    JsonNode manifest = JSON.readTree(dataset.resolve("dataset.json").toFile());
    assertThat(manifest.at("/eval/rows").asInt()).isEqualTo(40);
    assertThat(manifest.at("/train/rows").asInt() + 40)
        .isEqualTo(manifest.at("/rows/kept").asInt());
    try (Stream<Path> files = Files.list(dataset)) {
      assertThat(files)
          .extracting(f -> f.getFileName().toString())
          .contains("part-00000.arrow", "eval-00000.arrow", "quarantine.jsonl")
          .noneMatch(name -> name.startsWith("."));
    }
  }

  private static JsonNode safetensorsHeader(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    return JSON.readTree(bytes, 8, Math.toIntExact(buffer.getLong(0)));
  }
}
