package dev.anneal.spark.report;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.output.MetricsFile;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.trainer.StepMetrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;

/** Files as a run leaves them. */
final class WrittenRun {
  static final ObjectMapper JSON = new ObjectMapper();

  /** Of a run of 40 steps whose first driver was killed. */
  static final String RECORD =
      """
      {"state": "succeeded", "error": null, "command": "run",
       "started_at": "2026-11-29T10:10:00Z", "ended_at": "2026-11-29T10:12:00Z",
       "versions": {"anneal": "0.1.0", "spark": "4.1.1", "java": "17.0.17", "libtorch": "2.10.0"},
       "spark": {"master": "yarn", "application_id": "application_1"},
       "config": {
         "model": {"path": "file:/models/llama 8b", "tokenizer": null},
         "data": {"source": "s3a://key:hunter2@bucket/rows.json"},
         "lora": {"r": 16, "target_modules": ["q_proj", "v_proj"], "rank_pattern": {}},
         "optimizer": {"learning_rate": 1.0E-4},
         "training": {"mode": "lora"}, "cluster": {"gpus_per_node": 0}},
       "attempts": [
         {"id": "a-1", "began_at": "2026-11-29T10:00:10Z", "resumed_from_step": null,
          "ended": "The driver ended without a word."},
         {"id": "b-1", "began_at": "2026-11-29T10:10:10Z", "resumed_from_step": 20,
          "ended": "Rank 1 on node-2 was lost: its executor was killed.",
          "ended_at": "2026-11-29T10:11:00Z"},
         {"id": "b-2", "began_at": "2026-11-29T10:11:05Z", "resumed_from_step": 30,
          "ended": "It finished.", "ended_at": "2026-11-29T10:11:55Z"}],
       "phases": [
         {"phase": "preparing data", "began_at": "2026-11-29T10:00:00Z"},
         {"phase": "loading weights", "began_at": "2026-11-29T10:00:12Z"},
         {"phase": "training", "began_at": "2026-11-29T10:00:20Z"},
         {"phase": "loading weights", "began_at": "2026-11-29T10:10:12Z"},
         {"phase": "training", "began_at": "2026-11-29T10:10:20Z"},
         {"phase": "loading weights", "began_at": "2026-11-29T10:11:06Z"},
         {"phase": "training", "began_at": "2026-11-29T10:11:10Z"},
         {"phase": "publishing", "began_at": "2026-11-29T10:11:50Z"}],
       "ranks": [{"rank": 0, "host": "node-1", "cores": 16, "memory_bytes": 68719476736,
         "peak_memory_bytes": 2147483648,
         "gpu": {"index": 0, "name": "NVIDIA H200", "memory_bytes": 150754820096, "driver": "580.1"}}],
       "totals": {"steps": 40, "skipped_steps": 0, "tokens": 4000, "target_tokens": 1200,
         "epochs": 1.5, "peak_memory_bytes": 3221225472, "last_loss": 0.05,
         "eval_loss_before": 2.5, "eval_loss_after": 0.4},
       "planned_steps": 40, "vllm": {"max_lora_rank": 16},
       "samples": [{"prompt": "Who has the hat?", "before": "Ella.",
         "between": [{"step": 20, "text": "Ella, aye."}], "after": "Aye, Ella hath it."}],
       "checkpoints": {"last_complete_step": 40, "completed": [
         {"step": 10, "at": "2026-11-29T10:00:50Z"}, {"step": 20, "at": "2026-11-29T10:01:20Z"},
         {"step": 30, "at": "2026-11-29T10:10:50Z"}, {"step": 40, "at": "2026-11-29T10:11:45Z"}]}}
      """;

  static final String DATASET =
      """
      {"schema_version": 1, "spec": {"max_length": 256},
       "rows": {"read": 330, "kept": 320, "truncated": 2, "split": 0,
         "bad": {"no output": 7}, "dropped": {"too long": 3}},
       "train": {"sequences": 91, "rows": 280, "tokens": 20566, "target_tokens": 4605,
         "largest_token_id": 99, "packing_efficiency": 0.883,
         "files": [{"name": "part-00000.arrow", "sequences": 91, "bytes": 1000}]},
       "eval": {"sequences": 40, "rows": 40, "tokens": 2900, "target_tokens": 700,
         "largest_token_id": 99, "packing_efficiency": 0.2,
         "files": [{"name": "eval-00000.arrow", "sequences": 40, "bytes": 1000}]},
       "token_lengths": {"64": 100, "128": 200, "256": 20},
       "notes": ["The chat template is that of the tokenizer."]}
      """;

  private final Path folder;

  private WrittenRun(Path folder) {
    this.folder = folder;
  }

  /** A finished run, but for its metrics. */
  static WrittenRun in(Path folder) throws IOException {
    WrittenRun run = new WrittenRun(Files.createDirectories(folder));
    run.record((ObjectNode) JSON.readTree(RECORD));
    Files.createDirectories(folder.resolve("dataset"));
    Files.writeString(folder.resolve("dataset/dataset.json"), DATASET);
    return run;
  }

  WrittenRun record(ObjectNode record) throws IOException {
    Files.write(folder.resolve("run.json"), JSON.writeValueAsBytes(record));
    return this;
  }

  /** Steps 1 to {@code steps} and the held-out loss before and after them. */
  WrittenRun metrics(int steps) throws IOException {
    try (MetricsFile file = MetricsFile.open(folder(), new MetricsLog())) {
      file.evaluation(0, 2.5);
      for (int step = 1; step <= steps; step++) {
        file.step(step(step));
      }
      file.evaluation(steps, 0.4);
      file.requireComplete();
    }
    return this;
  }

  WrittenRun metrics(String lines) throws IOException {
    Files.write(folder.resolve("metrics.jsonl"), lines.getBytes(UTF_8));
    return this;
  }

  RunFolder folder() {
    return new RunFolder(folder.toUri().toString(), new Configuration());
  }

  Path path() {
    return folder;
  }

  static StepMetrics step(long step) {
    double loss = 2.0 / step + 0.1 * Math.sin((double) step);
    return new StepMetrics(
        step,
        loss,
        0.5 + loss,
        1e-4,
        30,
        100,
        900.0 + step % 7,
        3L << 30,
        step / 26.0,
        false,
        StepTimes.UNKNOWN);
  }
}
