package dev.anneal.data.prep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.source.SourceRow;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OrderedRowsTest {
  private final Storage storage = new Storage(new Configuration());

  @TempDir Path dir;

  @Test
  void filesComeInTheOrderOfTheirNamesWithTheirRowsNumbered() throws IOException {
    Files.writeString(dir.resolve("b.jsonl"), "{\"n\": 3}\n\n{\"n\": 4}\n{broken\n");
    Files.writeString(dir.resolve("a.json"), "[{\"n\": 1},\n {\"n\": 2}]");
    Files.writeString(dir.resolve("c.csv"), "n\n5\n");
    List<SourceRow> rows = new ArrayList<>();
    OrderedRows.ofFiles(dir.toString(), "", storage, rows::add);
    assertThat(rows).extracting(SourceRow::index).containsExactly(0L, 1L, 2L, 3L, 4L, 5L);
    assertThat(rows).extracting(SourceRow::row).containsExactly(1L, 2L, 1L, 2L, 3L, 1L);
    assertThat(rows)
        .extracting(row -> row.json().replace(" ", ""))
        .containsExactly(
            "{\"n\":1}", "{\"n\":2}", "{\"n\":3}", "{\"n\":4}", "{broken", "{\"n\":\"5\"}");
    assertThat(OrderedRows.needSpark(dir.toString(), storage)).isFalse();
    assertThatThrownBy(() -> OrderedRows.ofFiles(dir + "/*.parquet", "", storage, rows::add))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("matches no file");
  }

  @Test
  void rowsOfATableComeInTheOrderOfTheirTexts() throws IOException {
    try (SparkSession spark = PrepFixture.spark(2)) {
      spark
          .range(0, 50, 1, 7)
          .selectExpr("49 - id as n", "'x' as text")
          .createOrReplaceTempView("numbers");
      List<SourceRow> rows = new ArrayList<>();
      OrderedRows.ofTable(spark, "table:numbers", storage, rows::add);
      assertThat(rows).extracting(SourceRow::json).isSorted().hasSize(50).doesNotHaveDuplicates();
      assertThat(rows.get(49).index()).isEqualTo(49);
      assertThat(rows.get(49).row()).isEqualTo(50);
      assertThat(OrderedRows.needSpark("table:numbers", storage)).isTrue();
    }
  }
}
