package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.AnnealDataset;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataPreparationTest {
  private static final Path CONF = Path.of(System.getProperty("anneal.home"), "conf");
  @TempDir Path dir;

  @Test
  void preparesInASessionThatIsThereAndReplacesOnlyWhenAsked() throws IOException {
    List<String> settings =
        List.of(
            "data.source=" + CONF.resolve("tiny/instructions.json"),
            "data.format=alpaca",
            "data.eval_rows=40",
            "model.tokenizer=" + CONF.resolve("tiny/model"),
            "output.path=" + dir.resolve("out"));
    try (SparkSession spark = session()) {
      assertThat(DataPreparation.run(spark, settings).train().rows()).isEqualTo(280);
      assertThat(AnnealDataset.read(spark, dir.resolve("out").toString()).count()).isEqualTo(320);
      assertThatThrownBy(() -> DataPreparation.run(spark, settings))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("holds a data set already");
      assertThat(DataPreparation.replace(spark, settings).train().rows()).isEqualTo(280);
    }
  }

  @Test
  void refusesSettingsThatAreMissingOrUnknown() {
    assertThatThrownBy(() -> DataPreparation.replace(null, List.of("data.source=rows.json")))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("output.path is not set");
    assertThatThrownBy(() -> DataPreparation.replace(null, List.of("data.sauce=rows.json")))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("data.source");
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
