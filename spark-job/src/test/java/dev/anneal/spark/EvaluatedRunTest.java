package dev.anneal.spark;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs that are evaluated on their way, in a session of this process. */
class EvaluatedRunTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path dir;

  private Map<String, Object> config(String output) {
    Map<String, Object> config = new HashMap<>();
    config.put("output.path", dir.resolve(output).toString());
    config.put("training.max_steps", 8);
    config.put("cluster.nodes", 1);
    config.put("training.micro_batch_size", 2);
    config.put("lora.target_modules", List.of("q_proj", "v_proj"));
    config.put("evaluation.sample_rows", 1);
    config.put("evaluation.sample_tokens", 4);
    config.put("evaluation.every_steps", 2);
    return config;
  }

  private String run(Map<String, Object> config) throws IOException {
    try (SparkSession spark = LocalSpark.session(1)) {
      StringWriter said = new StringWriter();
      Anneal.on(spark)
          .printTo(new PrintWriter(said))
          .run(CONF.resolve("tiny.yaml").toString(), config);
      return said.toString();
    }
  }

  @Test
  void aRunThatWasCutOffLeavesWhatOneThatWasNotDoes() throws IOException {
    // grows so large that the loss rises
    Map<String, Object> config = config("whole");
    config.put("evaluation.keep", "best");
    config.put("optimizer.learning_rate", 1.0);
    config.put("schedule.warmup_steps", 8);
    config.put("checkpoint.every_steps", 3);
    config.put("checkpoint.keep", 20);
    config.put("profile.steps", 2);
    assertThat(run(config))
        .contains("Profile of steps 4 to 5 of the only rank: ", "A step takes ", "data wait");
    Path whole = dir.resolve("whole");
    assertThat(profiledSteps(whole)).containsExactly(4L, 5L);
    assertThat(whole.resolve("report.html")).content().contains("Time of a step");
    SortedMap<Long, Double> losses = evalLosses(whole);
    assertThat(losses.keySet()).containsExactly(0L, 2L, 4L, 6L, 8L);
    long best = best(losses);
    assertThat(best).as("%s", losses).isLessThan(8);
    JsonNode record = record(whole);
    assertThat(record.at("/evaluation/result_step").longValue()).isEqualTo(best);
    assertThat(record.at("/evaluation/best_eval_loss").doubleValue()).isEqualTo(losses.get(best));
    assertThat(record.at("/evaluation/ended_early").booleanValue()).isFalse();
    assertThat(record.at("/state").textValue()).isEqualTo("succeeded");

    List<Long> complete = completeSteps(whole);
    assertThat(complete).contains(best, 8L);
    for (long from : complete.subList(0, complete.size() - 1)) {
      Path cut = dir.resolve("cut-" + from);
      copyAsCutOff(whole, cut, from);
      Map<String, Object> again = new HashMap<>(config);
      again.put("output.path", cut.toString());
      run(again);
      // of the steps behind the checkpoint, as far as there are that many
      assertThat(profiledSteps(cut)).containsExactlyElementsOf(profiledFrom(from));
      assertThat(comparable(cut)).isEqualTo(comparable(whole));
      assertThat(record(cut).at("/evaluation")).isEqualTo(record.at("/evaluation"));
      assertThat(record(cut).at("/attempts").get(1).path("resumed_from_step").longValue())
          .isEqualTo(from);
      assertThat(cut.resolve("samples.json"))
          .hasSameTextualContentAs(whole.resolve("samples.json"));
      assertThat(cut.resolve("adapter/adapter_model.safetensors"))
          .hasSameBinaryContentAs(whole.resolve("adapter/adapter_model.safetensors"));
    }
  }

  private static List<Long> profiledFrom(long done) {
    long first = Math.max(done + 1, Math.min(done + 4, 7));
    return LongStream.rangeClosed(first, Math.min(8, first + 1)).boxed().toList();
  }

  private static SortedSet<Long> profiledSteps(Path output) throws IOException {
    SortedSet<Long> steps = new TreeSet<>();
    for (JsonNode event : JSON.readTree(output.resolve("profile/trace.json").toFile())) {
      if (event.path("ph").textValue().equals("X")) {
        assertThat(event.path("pid").intValue()).isZero();
        assertThat(event.path("dur").doubleValue()).isNotNegative();
        steps.add(event.at("/args/step").longValue());
      }
    }
    return steps;
  }

  @Test
  void rowsOfTheirOwnAreEvaluatedOnAndNoneIsHeldOut() throws IOException {
    Path rows = dir.resolve("eval.jsonl");
    Files.writeString(
        rows,
        """
        {"q": "What is two and two?", "output": "Four."}
        {"q": "Name a colour.", "output": "Blue."}
        {"q": "Never read.", "output": "Never."}
        """);
    Map<String, Object> config = config("own");
    config.put("data.eval_rows", 0);
    config.put("data.eval_source", rows.toString());
    config.put("data.eval_columns", Map.of("instruction", "q"));
    config.put("data.eval_limit", 2);
    config.put("checkpoint.every_steps", 100);
    config.put("evaluation.patience", 1);
    config.put("evaluation.min_delta", 100);
    run(config);
    Path own = dir.resolve("own");
    JsonNode prepared = JSON.readTree(own.resolve("eval-dataset/dataset.json").toFile());
    assertThat(prepared.at("/train/rows").intValue()).isEqualTo(2);
    assertThat(prepared.at("/train/sequences").intValue()).isEqualTo(2);
    assertThat(prepared.at("/spec/shuffle").booleanValue()).isFalse();
    assertThat(
            JSON.readTree(own.resolve("dataset/dataset.json").toFile()).at("/eval/rows").intValue())
        .isZero();
    assertThat(evalLosses(own).keySet()).containsExactly(0L, 2L, 4L);
    JsonNode record = record(own);
    assertThat(record.at("/dataset/eval_rows").intValue()).isEqualTo(2);
    assertThat(record.at("/totals/steps").intValue()).isEqualTo(4);
    assertThat(record.at("/state").textValue()).isEqualTo("succeeded");
    assertThat(record.at("/evaluation/ended_early").booleanValue()).isTrue();
    assertThat(record.at("/evaluation/reason").textValue()).contains("after step 4");
    assertThat(own.resolve("adapter/adapter_model.safetensors")).isRegularFile();
    JsonNode samples = JSON.readTree(own.resolve("samples.json").toFile());
    assertThat(samples).hasSize(1);
    assertThat(samples.at("/0/prompt").textValue()).contains("What is two and two?");
    assertThat(samples.at("/0/answers"))
        .extracting(answer -> answer.path("step").longValue())
        .containsExactly(0L, 2L, 4L);
    assertThat(samplesOfLastCheckpoint(own)).contains("\"later\":[{\"step\":2,");
  }

  /** As a process leaves it that is killed when the checkpoint after {@code step} is complete. */
  private static void copyAsCutOff(Path whole, Path cut, long step) throws IOException {
    try (Stream<Path> files = Files.walk(whole)) {
      for (Path file : files.toList()) {
        Path to = cut.resolve(whole.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(to);
        } else {
          Files.copy(file, to);
        }
      }
    }
    delete(cut.resolve("adapter"));
    ObjectNode record = (ObjectNode) record(cut);
    record.put("state", "running").putNull("ended_at");
    record.withObjectProperty("checkpoints").put("last_complete_step", step);
    Files.writeString(cut.resolve("run.json"), record.toString());
    JsonNode index = JSON.readTree(cut.resolve("checkpoints/index.json").toFile());
    List<Long> kept = new ArrayList<>();
    for (JsonNode there : index.path("steps")) {
      if (there.longValue() <= step) {
        kept.add(there.longValue());
      } else {
        Path gone =
            cut.resolve(String.format(Locale.ROOT, "checkpoints/step-%08d", there.longValue()));
        if (Files.exists(gone)) {
          delete(gone);
        }
      }
    }
    assertThat(kept).contains(step);
    Files.writeString(
        cut.resolve("checkpoints/index.json"), JSON.writeValueAsString(Map.of("steps", kept)));
  }

  /** Of a checkpoint that was left out, because another was being written, there is no manifest. */
  private static List<Long> completeSteps(Path output) throws IOException {
    JsonNode index = JSON.readTree(output.resolve("checkpoints/index.json").toFile());
    List<Long> steps = new ArrayList<>();
    for (JsonNode step : index.path("steps")) {
      String manifest =
          String.format(Locale.ROOT, "checkpoints/step-%08d/manifest.json", step.longValue());
      if (Files.exists(output.resolve(manifest))) {
        steps.add(step.longValue());
      }
    }
    return steps;
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  private static JsonNode record(Path output) throws IOException {
    return JSON.readTree(output.resolve("run.json").toFile());
  }

  /** The lines without what a clock measures. */
  private static List<JsonNode> comparable(Path output) throws IOException {
    List<JsonNode> lines = new ArrayList<>();
    for (String line : Files.readAllLines(output.resolve("metrics.jsonl"))) {
      ObjectNode json = (ObjectNode) JSON.readTree(line);
      json.remove(List.of("tokens_per_second", "peak_memory_bytes"));
      json.properties().removeIf(number -> number.getKey().endsWith("_ms"));
      lines.add(json);
    }
    return lines;
  }

  private static SortedMap<Long, Double> evalLosses(Path output) throws IOException {
    SortedMap<Long, Double> losses = new TreeMap<>();
    for (JsonNode line : comparable(output)) {
      if (line.has("eval_loss")) {
        long step = line.path("step").longValue();
        assertThat(losses.put(step, line.path("eval_loss").doubleValue())).isNull();
      }
    }
    return losses;
  }

  private static long best(SortedMap<Long, Double> losses) {
    return losses.tailMap(1L).entrySet().stream()
        .min(Map.Entry.comparingByValue())
        .orElseThrow()
        .getKey();
  }

  private static String samplesOfLastCheckpoint(Path output) throws IOException {
    try (Stream<Path> files = Files.walk(output.resolve("checkpoints"))) {
      Path last =
          files
              .filter(file -> file.endsWith("samples.json"))
              .max(Comparator.comparing(Path::toString))
              .orElseThrow();
      return Files.readString(last, UTF_8);
    }
  }
}
