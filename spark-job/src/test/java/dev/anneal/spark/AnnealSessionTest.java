package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.AnnealDataset;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AnnealSessionTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  @TempDir Path dir;

  @Test
  void preparesInASessionThatIsThereAndReplacesOnlyWhenAsked() throws IOException {
    Map<String, Object> config =
        Map.of(
            "data.source", CONF.resolve("tiny/instructions.json").toString(),
            "data.format", "alpaca",
            "data.eval_rows", 40,
            "model.tokenizer", CONF.resolve("tiny/model").toString(),
            "output.path", dir.resolve("out").toString());
    try (SparkSession spark = session()) {
      spark.sparkContext().setLocalProperty("spark.job.description", "mine");
      AnnealSession anneal = Anneal.on(spark);
      assertThat(anneal.prep(config).train().rows()).isEqualTo(280);
      assertThat(AnnealDataset.read(spark, dir.resolve("out").toString()).count()).isEqualTo(320);
      assertThatThrownBy(() -> anneal.prep(config))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("holds a prepared data set");
      assertThat(anneal.overwrite().prep(config).train().rows()).isEqualTo(280);
      assertThat(spark.sparkContext().getLocalProperty("spark.job.description"))
          .as("what the caller has set for the thread")
          .isEqualTo("mine");
    }
  }

  @Test
  void tunesTwiceInOneSessionAndGivesMetricsAsRows() throws IOException {
    try (SparkSession spark = session()) {
      for (String output : List.of("first", "second")) {
        RunResult result =
            Anneal.on(spark)
                .run(
                    CONF.resolve("tiny.yaml").toString(),
                    Map.of(
                        "output.path",
                        dir.resolve(output).toString(),
                        "training.max_steps",
                        3,
                        "cluster.nodes",
                        1,
                        "lora.target_modules",
                        List.of("q_proj", "v_proj")));
        assertThat(Path.of(result.adapter(), "adapter_model.safetensors")).exists();
        assertThat(result.metrics().where("loss is not null").count()).isEqualTo(3);
        assertThat(result.metrics().where("eval_loss is not null").count()).isEqualTo(2);
        assertThat(result.answers().where("after is not null").count()).isEqualTo(4);
      }
      assertThat(spark.range(7).count()).as("the session is still of use").isEqualTo(7);
    }
  }

  @Test
  void refusesWhatIsMissingUnknownOrNoValueAndLeavesTheSession() throws IOException {
    try (SparkSession spark = session()) {
      AnnealSession anneal = Anneal.on(spark);
      assertThatThrownBy(() -> anneal.prep(Map.of("data.source", "rows.json")))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("model.path is not set");
      assertThatThrownBy(() -> anneal.run(Map.of("data.sauce", "rows.json")))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("data.source");
      assertThatThrownBy(() -> anneal.run(Map.of("lora.r", new Object())))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("is no text, number");
      assertThatThrownBy(() -> Anneal.main(new String[] {"run", "--set", "lora.rank=8"}))
          .as("main in a process that is not its own throws")
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("did you mean lora.r?");
      assertThat(spark.range(7).count()).isEqualTo(7);
    }
  }

  private static SparkSession session() {
    return SparkSession.builder()
        .master("local[1]")
        .config("spark.ui.enabled", false)
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate();
  }
}
