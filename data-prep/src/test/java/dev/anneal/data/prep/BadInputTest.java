package dev.anneal.data.prep;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is wrong with the input is said with file and row, and nothing is lost. */
class BadInputTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String GOOD = "{\"instruction\":\"Say hi\",\"output\":\"Hi\"}\n";
  private static SparkSession spark;

  @TempDir Path dir;

  @BeforeAll
  static void start() {
    spark = PrepFixture.spark(2);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  /** A row that went to the quarantine: file name, row number, reason. */
  private record LeftOut(String file, long row, String reason) {}

  @Test
  void quarantinesLinesThatAreNoRowsAndKeepsTheOthers() throws Exception {
    String text =
        GOOD
            + "{\"instruction\": \"broken\", \"output\": \n"
            + "{\"instruction\":\"Grüße\",\"output\":\"x\"}\n"
            + "{\"instruction\":\"a\",\"output\":\"\"}\n"
            + "{\"instruction\":null,\"output\":\"x\"}\n"
            + "{\"instruction\":\"a\"}\n"
            + "null\n"
            + "[[null]]\n"
            + GOOD;
    Files.write(dir.resolve("rows.jsonl"), text.getBytes(ISO_8859_1));
    DatasetManifest manifest = prepare(PrepFixture.alpaca(dir.resolve("out")), "rows.jsonl");

    assertThat(manifest.rows().kept()).isEqualTo(2);
    assertThat(leftOut())
        .containsExactly(
            new LeftOut("rows.jsonl", 2, "the row is not JSON"),
            new LeftOut("rows.jsonl", 3, "the row is not UTF-8"),
            new LeftOut("rows.jsonl", 4, "field 'output' is empty"),
            new LeftOut("rows.jsonl", 5, "field 'instruction' is not text"),
            new LeftOut("rows.jsonl", 6, "field 'output' is missing"),
            new LeftOut("rows.jsonl", 7, "the row is not a JSON object"),
            new LeftOut("rows.jsonl", 8, "the row is not a JSON object"));
  }

  @Test
  void refusesAnArrayThatIsBrokenInTheMiddleAndWritesNothing() throws Exception {
    Files.writeString(
        dir.resolve("rows.json"),
        "[" + GOOD + "," + GOOD + ",\n{\"instruction\" 3},\n" + GOOD + "]");

    assertThatThrownBy(() -> prepare(PrepFixture.alpaca(dir.resolve("out")), "rows.json"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("rows.json' is broken in line 4, row 3");
    assertThat(dir.resolve("out")).doesNotExist();
  }

  @Test
  void quarantinesTurnsWithNestedNulls() throws Exception {
    String good =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}]}\n";
    Files.writeString(
        dir.resolve("rows.jsonl"),
        good
            + "{\"messages\":null}\n{\"messages\":[null]}\n"
            + good.replace("\"a\"", "null")
            + good.replace("\"assistant\"", "null")
            + good.replace("\"b\"", "[null]"));
    prepare(PrepFixture.alpaca(dir.resolve("out")).format(RowFormat.CHAT), "rows.jsonl");

    assertThat(leftOut())
        .extracting(LeftOut::reason)
        .containsExactly(
            "field 'messages' is not a list",
            "field 'messages' holds a turn that is not an object",
            "field 'content' is not text",
            "field 'role' is not text",
            "field 'content' is not text");
  }

  @Test
  void readsFilesOfMixedSchemasRowByRow() throws Exception {
    Files.writeString(dir.resolve("a.jsonl"), GOOD);
    Files.writeString(dir.resolve("b.json"), "[{\"question\":\"q\",\"answer\":\"a\"}]");
    Files.writeString(dir.resolve("c.csv"), "output,instruction,more\nHello,Greet,1\n,Greet,2\n");
    DatasetManifest manifest = prepare(PrepFixture.alpaca(dir.resolve("out")), "[abc].*");

    assertThat(manifest.rows().kept()).isEqualTo(2);
    assertThat(leftOut())
        .containsExactly(
            new LeftOut("b.json", 1, "field 'instruction' is missing"),
            new LeftOut("c.csv", 2, "field 'output' is empty"));
  }

  @Test
  void namesTheColumnThatIsMissingWhereItHasAnotherName() throws Exception {
    Files.writeString(dir.resolve("rows.jsonl"), "{\"q\":\"Say hi\",\"a\":{\"text\":\"Hi\"}}\n");
    PrepFixture fixture = PrepFixture.alpaca(dir.resolve("out"));
    fixture.columns(Map.of("instruction", "q", "output", "a.text"));
    assertThat(prepare(fixture, "rows.jsonl").rows().kept()).isEqualTo(1);

    fixture.columns(Map.of("instruction", "q", "output", "answer")).maxBadRows(0.5);
    assertThatThrownBy(() -> PrepFixture.prepare(spark, fixture.spec()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("1 of 1 rows")
        .hasMessageContaining("field 'output' (column 'answer') is missing");
  }

  @Test
  void takesARowOfFiveMegabytes() throws Exception {
    String words = "word ".repeat(1_048_576);
    Files.writeString(
        dir.resolve("rows.jsonl"), GOOD + GOOD.replace("Hi\"", words + "end\"") + GOOD);
    PrepFixture fixture = PrepFixture.alpaca(dir.resolve("out")).inFileOrder().maxLength(512);
    DatasetManifest.Rows truncated = prepare(fixture, "rows.jsonl").rows();
    assertThat(truncated.kept()).isEqualTo(3);
    assertThat(truncated.truncated()).isEqualTo(1);

    DatasetManifest dropped = prepare(fixture.longRows(LongRows.DROP), "rows.jsonl");
    assertThat(dropped.rows().dropped())
        .containsExactly(Map.entry("the row is longer than max_length", 1L));
    assertThat(leftOut())
        .containsExactly(new LeftOut("rows.jsonl", 2, "the row is longer than max_length"));

    DatasetManifest split = prepare(fixture.longRows(LongRows.SPLIT), "rows.jsonl");
    assertThat(split.rows().split()).isEqualTo(1);
    assertThat(split.rows().truncated()).isZero();
    // of each piece all tokens are learned but the first, which nothing predicts
    assertThat(split.train().tokens()).isGreaterThan(1_048_576);
    assertThat(split.train().targetTokens()).isGreaterThan(1_048_576 * 511L / 512 - 512);
  }

  @Test
  void refusesAnEmptyDataSetInTheJobToo() throws Exception {
    Files.writeString(dir.resolve("rows.jsonl"), "\n\n");
    assertThatThrownBy(() -> prepare(PrepFixture.alpaca(dir.resolve("out")), "rows.jsonl"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("rows.jsonl' holds no rows");
  }

  /** The preflight on the driver sees what the job will see. */
  private DatasetManifest prepare(PrepFixture fixture, String source) {
    PrepSpec spec = fixture.source(dir.resolve(source)).maxBadRows(1).inFileOrder().spec();
    PrepCheck.Report report = new Preparation(spec, new Storage(new Configuration())).check();
    DatasetManifest manifest = PrepFixture.prepare(spark, spec);
    assertThat(report.rows()).isEqualTo(manifest.rows().read());
    assertThat(report.badRows())
        .isEqualTo(manifest.rows().bad().values().stream().mapToLong(Long::longValue).sum());
    return manifest;
  }

  private List<LeftOut> leftOut() throws IOException {
    List<LeftOut> leftOut = new ArrayList<>();
    for (String line : Files.readAllLines(dir.resolve("out/dataset/quarantine.jsonl"))) {
      JsonNode row = JSON.readTree(line);
      String file = row.get("file").textValue();
      leftOut.add(
          new LeftOut(
              file.substring(file.lastIndexOf('/') + 1),
              row.get("row").longValue(),
              row.get("reason").textValue()));
    }
    return leftOut;
  }
}
