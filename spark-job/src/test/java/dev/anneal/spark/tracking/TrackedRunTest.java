package dev.anneal.spark.tracking;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.Anneal;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.LocalSpark;
import dev.anneal.spark.tracking.mlflow.MlflowDouble;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
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
  void isRefusedWhereNobodyCouldKeepIt() throws Exception {
    assertThatThrownBy(() -> train(Map.of("tracking.mlflow_uri", "mlruns")))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("tracking.mlflow_uri is 'mlruns'");
    assertThat(dir.resolve("out")).doesNotExist();
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
