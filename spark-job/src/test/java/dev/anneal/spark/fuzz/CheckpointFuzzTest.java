package dev.anneal.spark.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.spark.checkpoint.CheckpointSearch;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.output.Outcome;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.checkpoint.CheckpointManifest;
import dev.anneal.training.checkpoint.EvaluationState;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.checkpoint.TrainerState;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("fuzz")
class CheckpointFuzzTest {
  @TempDir(factory = MemoryTempDir.class)
  Path dir;

  @Test
  void manifests() throws Exception {
    String sha256 = "0123456789abcdef".repeat(4);
    CheckpointManifest manifest =
        new CheckpointManifest(
            200,
            2,
            "run-1",
            new TreeMap<>(Map.of("lora.r", "8", "model", sha256)),
            150,
            List.of(
                new WrittenFile("run-1/rank-00000-of-00002.safetensors", 4096, sha256),
                new WrittenFile("run-1/rank-00001-of-00002.safetensors", 4096, sha256)));
    fuzz(
        "manifest.json of checkpoints",
        manifest.toJson(),
        List.of("\"files\":", "\"sha256\":", "\"name\":", "\"../x\"", "\"identity\":"),
        json -> CheckpointManifest.parse(json, "manifest.json"));
  }

  @Test
  void trainerStates() throws Exception {
    TrainerState state =
        new TrainerState(
            200,
            198,
            1,
            2,
            8,
            42,
            new EvaluationState(200, 150, 1.5, 1.5, 1),
            List.of(
                List.of(
                    new TrainerState.Parameter("layers.0.q_proj.lora_A", List.of(8L, 64L)),
                    new TrainerState.Parameter("layers.0.q_proj.lora_B", List.of(64L, 8L))),
                List.of(new TrainerState.Parameter("layers.1.q_proj.lora_A", List.of(8L, 64L)))));
    fuzz(
        "trainer.json of checkpoints",
        state.toJson().getBytes(UTF_8),
        List.of(
            "\"shape\":", "\"name\":", "{\"parameters\": []}", "[4294967296,4294967296]", "[0]"),
        json -> TrainerState.read(new MemoryFolder(Map.of(TrainerState.FILE, json))));
  }

  @Test
  void indices() throws Exception {
    RunFolder folder = new RunFolder(dir.toUri().toString(), new Configuration());
    Path index = Files.createDirectory(dir.resolve(RunFolder.CHECKPOINTS)).resolve("index.json");
    fuzz(
        "index.json of checkpoints",
        "{\"steps\":[200,400,600]}".getBytes(UTF_8),
        List.of("\"steps\":", "{\"steps\":[1]}", "[200]", ",1", ",2"),
        json -> {
          Files.write(index, json);
          CheckpointSearch.in(folder, new TreeMap<>());
        });
  }

  @Test
  void metrics() throws Exception {
    MetricsLog log = new MetricsLog();
    log.evaluation(0, 2.5);
    for (int step = 1; step <= 4; step++) {
      boolean skipped = step == 3;
      double loss = skipped ? Double.NaN : 2.0 / step;
      log.step(
          new StepMetrics(
              step, loss, 0.5, 1e-4, 100, 128, 1e3, 1 << 20, 0.1, skipped, StepTimes.UNKNOWN));
    }
    log.evaluation(4, 1.5);
    fuzz(
        "metrics.jsonl of checkpoints",
        log.upTo(4),
        List.of("\"step\":", "\"skipped\":true", "{\"step\":5,\"eval_loss\":null}\n", "\n", "1e"),
        lines -> new Outcome().rewind(MetricsLog.restore(lines)));
  }

  @Test
  void samples() throws Exception {
    fuzz(
        "samples.json of checkpoints",
        "[{\"sample\":0,\"prompt\":[1,2,3],\"before\":[4,5]},{\"sample\":1,\"prompt\":[],\"before\":[6]}]"
            .getBytes(UTF_8),
        List.of("\"sample\":", "\"prompt\":", "\"before\":", "[7,8]", "{\"sample\":2}"),
        json -> new Outcome().restoreSamples(json));
  }

  private static void fuzz(String name, byte[] good, List<String> words, Fuzz.Reader reader)
      throws Exception {
    Mutator mutator = new Mutator(Fuzz.seed(), List.of(good), words);
    Fuzz.run(name, mutator, reader, InvalidCheckpointException.class);
  }
}
