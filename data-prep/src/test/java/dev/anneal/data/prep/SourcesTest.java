package dev.anneal.data.prep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.Shared;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.manifest.DatasetManifest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The same rows give the same data set, whatever they are read from. */
class SourcesTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  @TempDir private static Path shared;
  private static SparkSession spark;

  @TempDir Path dir;

  @BeforeAll
  static void start() {
    System.setProperty("spark.sql.warehouse.dir", shared.resolve("warehouse").toString());
    spark = PrepFixture.spark(2);
    System.clearProperty("spark.sql.warehouse.dir");
    spark.conf().set("spark.sql.catalog.locked", LockedCatalog.class.getName());
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @Test
  void readsAlpacaFromFilesOfEveryForm() throws Exception {
    List<Map<String, String>> rows = rows(700);
    Path lines = Files.writeString(dir.resolve("rows.jsonl"), lines(rows));
    SortedMap<String, String> expected = prepared(lines, "lines");

    Path array = dir.resolve("rows.json");
    JSON.writerWithDefaultPrettyPrinter().writeValue(array.toFile(), rows);
    assertThat(prepared(array, "array")).isEqualTo(expected);

    Dataset<Row> frame =
        spark.read().json(lines.toString()).select("instruction", "input", "output");
    frame.coalesce(1).write().option("parquet.block.size", 20_000).parquet(dir + "/parquet");
    assertThat(prepared(dir.resolve("parquet"), "from-parquet")).isEqualTo(expected);

    frame
        .coalesce(1)
        .write()
        .option("header", true)
        .option("escape", "\"")
        .option("ignoreLeadingWhiteSpace", false)
        .option("ignoreTrailingWhiteSpace", false)
        .option("emptyValue", "")
        .csv(dir + "/csv");
    assertThat(prepared(dir.resolve("csv/*.csv"), "from-csv")).isEqualTo(expected);

    Path file = dir.resolve("rows.arrow");
    ArrowFixture.write(file, ArrowFixture.Framing.FILE, rows);
    assertThat(prepared(file, "from-arrow")).isEqualTo(expected);
    ArrowFixture.write(file, ArrowFixture.Framing.STREAM, rows);
    assertThat(prepared(file, "from-stream")).isEqualTo(expected);
  }

  @Test
  void readsNestedTurnsFromParquetAndATable() throws Exception {
    List<String> chats =
        Stream.of("Hi", "Grüße 🌍", "Three")
            .map(
                text ->
                    "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"},".formatted(text)
                        + "{\"role\":\"assistant\",\"content\":\"Hello\"},"
                        + "{\"role\":\"user\",\"content\":\"And?\"},"
                        + "{\"role\":\"assistant\",\"content\":\"%s\"}],\"n\":1}".formatted(text))
            .sorted()
            .toList();
    Path lines = Files.write(dir.resolve("chats.jsonl"), chats);
    SortedMap<String, String> expected =
        PrepFixture.files(run(chat(lines.toString(), dir.resolve("lines"))));

    Dataset<Row> frame = spark.read().json(lines.toString()).coalesce(1);
    frame.write().parquet(dir + "/parquet");
    assertThat(PrepFixture.files(run(chat(dir + "/parquet", dir.resolve("from-parquet")))))
        .containsAllEntriesOf(withoutManifest(expected));

    frame.repartition(3).writeTo("spark_catalog.default.chats").using("parquet").create();
    PrepSpec fromTable = chat("table:spark_catalog.default.chats", dir.resolve("from-table"));
    assertThat(PrepFixture.files(run(fromTable))).containsAllEntriesOf(withoutManifest(expected));
  }

  @Test
  void ordersATableByItsRowsWhateverItsPartitions() throws Exception {
    List<Map<String, String>> rows = rows(300);
    Path lines = Files.writeString(dir.resolve("rows.jsonl"), lines(rows));
    Dataset<Row> frame = spark.read().json(lines.toString());
    frame.repartition(1).createOrReplaceTempView("narrow");
    frame.repartition(7).createOrReplaceTempView("wide");

    PrepFixture fixture = PrepFixture.alpaca(dir.resolve("narrow")).source("table:narrow");
    SortedMap<String, String> narrow = PrepFixture.files(run(fixture.limit(200).spec()));
    fixture = PrepFixture.alpaca(dir.resolve("wide")).source("table:wide");
    assertThat(PrepFixture.files(run(fixture.limit(200).spec())))
        .containsAllEntriesOf(withoutManifest(narrow));
  }

  @Test
  void namesATableThatIsNotThereOrMayNotBeRead() {
    PrepFixture fixture = PrepFixture.alpaca(dir);
    assertThatThrownBy(() -> run(fixture.source("table:nobody.knows").spec()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining(
            "data.source 'table:nobody.knows' cannot be read (there is no such table)")
        .hasMessageContaining("check the name of the table");
    assertThatThrownBy(() -> run(fixture.source("table:locked.hr.salaries").spec()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessage(
            "No permission to read data.source 'table:locked.hr.salaries': grant it or name another"
                + " table.");
  }

  private SortedMap<String, String> prepared(Path source, String name) throws Exception {
    PrepFixture fixture = PrepFixture.alpaca(dir.resolve(name)).source(source).inFileOrder();
    return withoutManifest(PrepFixture.files(run(fixture.spec())));
  }

  private static PrepSpec chat(String source, Path output) {
    return PrepFixture.alpaca(output).source(source).format(RowFormat.CHAT).inFileOrder().spec();
  }

  private static PrepSpec run(PrepSpec spec) {
    DatasetManifest manifest = PrepFixture.prepare(spark, spec);
    assertThat(manifest.rows().bad()).isEmpty();
    return spec;
  }

  /** The manifest names the source. */
  private static SortedMap<String, String> withoutManifest(SortedMap<String, String> files) {
    files.remove(DatasetManifest.FILE_NAME);
    return files;
  }

  private static List<Map<String, String>> rows(int count) throws IOException {
    List<LinkedHashMap<String, String>> all =
        JSON.readValue(Shared.alpaca().toFile(), new TypeReference<>() {});
    return all.stream()
        .filter(row -> !row.get("output").isBlank())
        .sorted(Comparator.comparing(row -> row.get("output").length()))
        .skip(2000)
        .limit(count)
        .<Map<String, String>>map(row -> row)
        .toList();
  }

  private static String lines(List<Map<String, String>> rows) throws IOException {
    StringBuilder lines = new StringBuilder();
    for (Map<String, String> row : rows) {
      lines.append(JSON.writeValueAsString(row)).append('\n');
    }
    return lines.toString();
  }
}
