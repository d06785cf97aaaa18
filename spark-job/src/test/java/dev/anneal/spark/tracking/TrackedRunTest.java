package dev.anneal.spark.tracking;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.LocalSpark;
import dev.anneal.spark.faults.PoisonedModel;
import dev.anneal.spark.notify.Hook;
import dev.anneal.spark.tracking.mlflow.MlflowDouble;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs that somebody keeps. */
class TrackedRunTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  private static final int STEPS = 4;

  @TempDir Path dir;
  private final StringWriter said = new StringWriter();

  @Test
  void isInMlflowWithItsCurvesAndItsAdapter() throws Exception {
    try (MlflowDouble server = new MlflowDouble()) {
      train(Map.of("tracking.mlflow_uri", server.uri(), "tracking.tensorboard", true));
      assertThat(dir.resolve("out/tensorboard")).isDirectoryContaining("glob:**tfevents*.anneal");
      assertThat(server.run().status()).isEqualTo("FINISHED");
      assertThat(server.run().steps("loss"))
          .isEqualTo(LongStream.rangeClosed(1, STEPS).boxed().toList());
      assertThat(server.run().steps("eval_loss")).containsExactly(0L, (long) STEPS);
      assertThat(server.run().parameters())
          .containsEntry("training.max_steps", Integer.toString(STEPS));
      assertThat(server.artifacts().get("0/run1/artifacts/adapter/adapter_model.safetensors"))
          .isEqualTo(Files.readAllBytes(dir.resolve("out/adapter/adapter_model.safetensors")));
      assertThat(said.toString()).contains("MLflow: " + server.uri());
    }
  }

  @Test
  void succeedsThoughMlflowRefusesIt() throws Exception {
    try (MlflowDouble server = new MlflowDouble()) {
      server.fail(403);
      train(Map.of("tracking.mlflow_uri", server.uri()));
      assertThat(said.toString())
          .containsOnlyOnce("MLflow takes nothing (" + server.uri() + " answers 403");
    }
    JsonNode record = new ObjectMapper().readTree(dir.resolve("out/run.json").toFile());
    assertThat(record.path("state").asText()).isEqualTo("succeeded");
  }

  @Test
  void tellsOfItsEndAndKeepsTheAddressToItself() throws Exception {
    try (Hook hook = new Hook();
        SparkSession spark = LocalSpark.session(1)) {
      Set<String> descriptions = new ConcurrentSkipListSet<>();
      spark
          .sparkContext()
          .addSparkListener(
              new SparkListener() {
                @Override
                public void onJobStart(SparkListenerJobStart start) {
                  descriptions.add(start.properties().getProperty("spark.job.description"));
                }
              });
      train(Map.of("webhooks.on_success", hook.address(), "webhooks.on_failure", hook.address()));
      JsonNode told = hook.only();
      assertThat(told.path("state").asText()).isEqualTo("succeeded");
      assertThat(told.path("command").asText()).isEqualTo("run");
      assertThat(told.path("output").asText()).isEqualTo(dir.resolve("out").toString());
      assertThat(told.path("step").asLong()).isEqualTo(STEPS);
      assertThat(told.path("steps").asLong()).isEqualTo(STEPS);
      assertThat(told.path("loss").asDouble()).isPositive();
      assertThat(told.path("eval_loss").asDouble()).isPositive();
      assertThat(told.path("application_id").asText()).startsWith("local-");
      assertThat(told.path("error").isNull()).isTrue();
      assertThat(Files.readString(dir.resolve("out/run.json")))
          .contains("\"on_success\" : \"*********\"")
          .doesNotContain(Hook.SECRET);
      assertThat(said.toString()).doesNotContain(Hook.SECRET);
      assertThat(descriptions)
          .contains(
              "Anneal: preparing " + CONF.resolve("tiny/instructions.json"),
              "Anneal: training, attempt 1");
    }
  }

  @Test
  void tellsWhyItHasFailed() throws Exception {
    try (Hook hook = new Hook()) {
      Map<String, Object> poisoned =
          Map.of(
              "webhooks.on_failure",
              hook.address(),
              "model.path",
              PoisonedModel.write(dir.resolve("model")).toString(),
              "model.tokenizer",
              CONF.resolve("tiny/model").toString(),
              "data.source",
              rows(dir.resolve("rows.jsonl")).toString(),
              "data.format",
              "tokenized",
              "data.shuffle",
              false,
              "data.packing",
              false,
              "data.eval_rows",
              0,
              "evaluation.sample_rows",
              0);
      assertThatThrownBy(() -> train(poisoned)).isInstanceOf(JobFailedException.class);
      JsonNode told = hook.only();
      JsonNode record = new ObjectMapper().readTree(dir.resolve("out/run.json").toFile());
      assertThat(told.path("state").asText()).isEqualTo("failed");
      assertThat(told.path("error").asText())
          .isEqualTo(record.path("error").asText())
          .contains("step 3, the loss is NaN");
      assertThat(told.path("step").asLong()).isEqualTo(2);
      assertThat(told.path("eval_loss").isNull()).isTrue();
    }
  }

  @Test
  void isRefusedWhereNobodyCouldKeepIt() throws Exception {
    assertThatThrownBy(() -> train(Map.of("tracking.mlflow_uri", "mlruns")))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("tracking.mlflow_uri is 'mlruns'");
    assertThat(dir.resolve("out")).doesNotExist();
  }

  /** Twelve rows, the ninth of which spoils its step. */
  private static Path rows(Path file) throws IOException {
    List<String> rows = new ArrayList<>();
    for (int row = 0; row < 12; row++) {
      List<Integer> ids = new ArrayList<>(IntStream.range(10 + row, 50 + row).boxed().toList());
      if (row == 8) {
        ids.set(3, PoisonedModel.POISON);
      }
      rows.add("{\"input_ids\": %s, \"prompt_length\": 10}".formatted(ids));
    }
    return Files.write(file, rows);
  }

  private void train(Map<String, ?> sets) throws IOException {
    Map<String, Object> config =
        new HashMap<>(
            Map.of(
                "output.path",
                dir.resolve("out").toString(),
                "training.max_steps",
                STEPS,
                "cluster.nodes",
                1,
                "lora.target_modules",
                List.of("q_proj", "v_proj")));
    config.putAll(sets);
    try (SparkSession spark = LocalSpark.session(1)) {
      Anneal.on(spark)
          .printTo(new PrintWriter(said, true))
          .run(CONF.resolve("tiny.yaml").toString(), config);
    }
  }
}
