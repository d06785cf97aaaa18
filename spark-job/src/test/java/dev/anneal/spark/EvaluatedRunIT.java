package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.faults.RunOutput;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run of two processes that is evaluated on its way, with a kill in the middle. */
class EvaluatedRunIT {
  private static final int KILLED = 128 + 9;
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  @Test
  void aDriverThatIsKilledLosesNoEvaluationAndNotTheBestAdapter() throws Exception {
    RunOutput undisturbed = new RunOutput(folder.resolve("undisturbed"));
    try (SubmittedJob job = SubmittedJob.start(folder, command(undisturbed))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
    JsonNode evaluation = record(undisturbed).path("evaluation");
    assertThat(evaluation.path("result_step")).isEqualTo(evaluation.path("best_step"));
    assertThat(evaluation.path("result_step").longValue()).isLessThan(60);

    RunOutput killed = new RunOutput(folder.resolve("killed"));
    try (SubmittedJob job = SubmittedJob.start(folder, command(killed))) {
      // the one of a step is left out where the one before is still being written
      while (job.isRunning() && lastComplete(killed) < 10) {
        Thread.sleep(20);
      }
      job.driver().destroyForcibly();
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(KILLED);
      assertThat(killed.folder().resolve("adapter")).doesNotExist();
    }
    try (SubmittedJob job = SubmittedJob.start(folder, command(killed))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out()).contains("Going on after step ", "The result is that of step ");
    }
    // every line but for speed and memory, and the adapter to the last bit
    killed.assertSameAs(undisturbed);
    assertThat(record(killed).path("evaluation")).isEqualTo(evaluation);
  }

  private String[] command(RunOutput output) {
    List<String> words =
        new ArrayList<>(List.of("run", "--config", SubmittedJob.recipe().toString()));
    for (String set :
        List.of(
            "output.path=" + output.folder(),
            "data.eval_rows=10",
            "training.micro_batch_size=1",
            "training.max_steps=60",
            "checkpoint.every_steps=5",
            "evaluation.every_steps=2",
            "evaluation.keep=best",
            "evaluation.sample_rows=1",
            "evaluation.sample_tokens=4",
            // grows so large that the loss rises
            "optimizer.learning_rate=1",
            "schedule.warmup_steps=60")) {
      words.addAll(List.of("--set", set));
    }
    return words.toArray(String[]::new);
  }

  private static long lastComplete(RunOutput output) {
    long last = 0;
    for (long step = 1; step <= 60; step++) {
      String manifest = String.format(Locale.ROOT, "checkpoints/step-%08d/manifest.json", step);
      if (Files.exists(output.folder().resolve(manifest))) {
        last = step;
      }
    }
    return last;
  }

  private static JsonNode record(RunOutput output) throws Exception {
    return JSON.readTree(output.folder().resolve("run.json").toFile());
  }
}
