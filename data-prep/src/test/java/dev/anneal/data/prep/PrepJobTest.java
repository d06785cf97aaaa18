package dev.anneal.data.prep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.Shared;
import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.Split;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrepJobTest {
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

  @Test
  void packsAlpacaAtLeast97PercentFull() throws Exception {
    PrepSpec spec = PrepFixture.alpaca(dir).maxLength(4096).evalRows(100).spec();
    DatasetManifest manifest = PrepFixture.prepare(spark, spec);

    assertThat(manifest.train().packingEfficiency()).isGreaterThan(0.97);
    assertThat(manifest.train().files()).hasSize(3);
    assertThat(manifest.rows().read()).isEqualTo(9229);
    assertThat(manifest.rows().bad()).containsExactly(Map.entry("field 'output' is empty", 4L));
    assertThat(manifest.rows().kept()).isEqualTo(9225);
    assertThat(manifest.train().rows()).isEqualTo(9125);
    assertThat(manifest.eval().rows()).isEqualTo(100);
    assertThat(DatasetManifest.read(spec.datasetUri(), new Storage(new Configuration())))
        .isEqualTo(manifest);
    assertThat(Files.readAllLines(Path.of(spec.datasetUri(), "quarantine.jsonl")))
        .hasSize(4)
        .first()
        .asString()
        .contains("\"row\":1462", "field 'output' is empty", "flow chart");
  }

  @Test
  void keepsTheOrderOfTheFilesAndHoldsOutTheLastRows() throws Exception {
    Path source = tokenizedRows("rows.jsonl", 10_000, 3);
    PrepSpec spec =
        PrepFixture.tokenized(source, dir.resolve("out"))
            .inFileOrder()
            .unpacked()
            .evalRows(3000)
            .spec();
    DatasetManifest manifest = PrepFixture.prepare(spark, spec);

    assertThat(manifest.train().largestTokenId()).isEqualTo(6999);
    assertThat(manifest.eval().largestTokenId()).isEqualTo(9999);
    assertThat(manifest.largestTokenId()).isEqualTo(9999);
    assertThat(firstIds(spec, Split.TRAIN)).isEqualTo(LongStream.range(0, 7000).boxed().toList());
    assertThat(firstIds(spec, Split.EVAL))
        .isEqualTo(LongStream.range(7000, 10_000).boxed().toList());
  }

  @Test
  void shufflesEveryRowOnceAndHoldsOutTheFirstOfTheOrder() throws Exception {
    Path source = tokenizedRows("rows.jsonl", 10_000, 3);
    PrepSpec whole = PrepFixture.tokenized(source, dir.resolve("whole")).unpacked().spec();
    PrepSpec split =
        PrepFixture.tokenized(source, dir.resolve("split")).unpacked().evalRows(5000).spec();
    PrepFixture.prepare(spark, whole);
    PrepFixture.prepare(spark, split);

    List<Long> order = firstIds(whole, Split.TRAIN);
    assertThat(order).isNotEqualTo(LongStream.range(0, 10_000).boxed().toList());
    assertThat(order)
        .containsExactlyInAnyOrderElementsOf(LongStream.range(0, 10_000).boxed().toList());
    assertThat(firstIds(split, Split.EVAL)).isEqualTo(order.subList(0, 5000));
    assertThat(firstIds(split, Split.TRAIN)).isEqualTo(order.subList(5000, 10_000));
    assertThat(order.stream().limit(1000).mapToLong(i -> i).average().orElseThrow())
        .isCloseTo(5000, within(400.0));
  }

  @Test
  void readsFilesOfAGlobInOrderUpToTheLimit() throws Exception {
    Files.writeString(dir.resolve("b.jsonl"), "{\"input_ids\":[2,2],\"prompt_length\":0}\n");
    Files.writeString(
        dir.resolve("a.json"),
        "[{\"input_ids\":[0,0],\"prompt_length\":0}, {\"input_ids\":[1,1],\"prompt_length\":0}]");
    Files.writeString(dir.resolve("c.jsonl"), "{\"input_ids\":[3,3],\"prompt_length\":0}\n");
    PrepSpec spec =
        PrepFixture.tokenized(dir.resolve("*.json*"), dir.resolve("out"))
            .inFileOrder()
            .unpacked()
            .limit(3)
            .spec();
    PrepFixture.prepare(spark, spec);

    assertThat(firstIds(spec, Split.TRAIN)).containsExactly(0L, 1L, 2L);
  }

  @Test
  void truncatesLongRowsAndDropsThoseWithNothingLeftToLearn() throws Exception {
    Path source = dir.resolve("rows.jsonl");
    Files.writeString(
        source,
        """
        {"input_ids":[1,2,3,4,5,6],"prompt_length":2}
        {"input_ids":[1,2,3,4,5,6],"prompt_length":5}
        {"input_ids":[1,2],"prompt_length":2}
        {"input_ids":[7,8],"prompt_length":1}
        """);
    PrepSpec spec =
        PrepFixture.tokenized(source, dir.resolve("out")).maxLength(4).inFileOrder().spec();
    DatasetManifest manifest = PrepFixture.prepare(spark, spec);

    assertThat(manifest.rows().truncated()).isEqualTo(1);
    assertThat(manifest.rows().dropped())
        .isEqualTo(
            new TreeMap<>(
                Map.of(
                    "no learned token is left within max_length", 1L, "no token is learned", 1L)));
    assertThat(manifest.train().tokens()).isEqualTo(6);
    assertThat(manifest.train().targetTokens()).isEqualTo(3);
    assertThat(manifest.tokenLengths()).isEqualTo(new TreeMap<>(Map.of(2, 2L, 8, 2L)));
    assertThat(manifest.train().largestTokenId()).isEqualTo(8);
    assertThat(manifest.eval().largestTokenId()).isEqualTo(-1);
    assertThat(Files.readAllLines(Path.of(spec.datasetUri(), "quarantine.jsonl"))).hasSize(2);
  }

  @Test
  void refusesMoreBadRowsThanAllowedButKeepsThemForAView() throws Exception {
    Path source = dir.resolve("rows.jsonl");
    Files.writeString(
        source, "{\"input_ids\":[1,2],\"prompt_length\":0}\n{\"input_ids\":\"one\"}\n");
    PrepSpec spec = PrepFixture.tokenized(source, dir.resolve("out")).maxBadRows(0.25).spec();

    assertThatThrownBy(() -> PrepFixture.prepare(spark, spec))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("1 of 2 rows")
        .hasMessageContaining("row 2 of")
        .hasMessageContaining("field 'input_ids' is not a list");
    assertThat(PrepFixture.files(spec)).containsOnlyKeys("quarantine.jsonl");
  }

  @Test
  void listsEveryRowThatIsLeftOut() throws Exception {
    Path source = dir.resolve("rows.jsonl");
    String dropped =
        "{\"input_ids\":[1,2],\"prompt_length\":2,\"pad\":\"" + "x".repeat(9000) + "\"}\n";
    Files.writeString(
        source,
        dropped
            + "{\"input_ids\":[1]}\n".repeat(11_000)
            + "{\"input_ids\":[1,2],\"prompt_length\":1}\n".repeat(10_000));
    PrepFixture fixture = PrepFixture.tokenized(source, dir.resolve("out")).inFileOrder();
    PrepSpec spec = fixture.maxBadRows(0.9).spec();
    DatasetManifest manifest = PrepFixture.prepare(spark, spec);

    assertThat(manifest.rows().bad())
        .containsExactly(Map.entry("field 'prompt_length' is missing", 11_000L));
    assertThat(manifest.rows().dropped()).containsExactly(Map.entry("no token is learned", 1L));
    assertThat(manifest.rows().kept()).isEqualTo(10_000);
    List<String> lines = Files.readAllLines(Path.of(spec.datasetUri(), "quarantine.jsonl"));
    assertThat(lines).hasSize(11_001).first().asString().contains("\"row\":1,", "no token");
    assertThat(lines.get(0).length()).isBetween(8192, 9000);
    assertThat(lines.get(11_000)).contains("\"row\":11001,");

    assertThatThrownBy(() -> PrepFixture.prepare(spark, fixture.maxBadRows(0.5).spec()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("11000 of 21001 rows")
        .hasMessageContaining("row 2 of");
  }

  @Test
  void refusesADataSetInWhichNothingIsLearned() throws Exception {
    Path source = dir.resolve("rows.jsonl");
    Files.writeString(source, "{\"input_ids\":[1,2],\"prompt_length\":2}\n");
    PrepSpec spec = PrepFixture.tokenized(source, dir.resolve("out")).evalRows(1).spec();

    assertThatThrownBy(() -> PrepFixture.prepare(spark, spec))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("has a learned token");
  }

  @Test
  void refusesToHoldOutEveryRow() throws Exception {
    Path source = tokenizedRows("rows.jsonl", 5, 2);
    for (int evalRows : new int[] {5, 6}) {
      PrepSpec spec = PrepFixture.tokenized(source, dir.resolve("out")).evalRows(evalRows).spec();
      assertThatThrownBy(() -> PrepFixture.prepare(spark, spec))
          .isInstanceOf(InvalidDataException.class)
          .hasMessageContaining("5 usable rows")
          .hasMessageContaining("lower data.eval_rows");
    }
  }

  @Test
  void failsRatherThanRefusesWhereTheFileSystemDoes() throws Exception {
    Path out = Files.createFile(dir.resolve("out"));
    PrepSpec spec = PrepFixture.tokenized(tokenizedRows("rows.jsonl", 5, 2), out).spec();

    assertThatThrownBy(() -> PrepFixture.prepare(spark, spec))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageStartingWith("The file system stopped the preparation of '" + spec.datasetUri())
        .hasMessageEndingWith("put that right and run again.");
  }

  @Test
  void saysInATasksOwnWordsWhatItRefuses() throws Exception {
    Path tokenizer = Files.createDirectory(dir.resolve("tokenizer"));
    Files.copy(
        Shared.llamaTokenizer().resolve("tokenizer.json"), tokenizer.resolve("tokenizer.json"));
    Files.writeString(
        tokenizer.resolve("chat_template.jinja"),
        "{% for m in messages %}{{ m.content if loop.last else '' }}{% endfor %}");
    Path source =
        Files.writeString(
            dir.resolve("rows.jsonl"), "{\"prompt\":\"Hi\",\"completion\":\"Hello\"}\n");
    PrepSpec spec =
        PrepFixture.tokenized(source, dir.resolve("out"))
            .format(RowFormat.PROMPT_COMPLETION)
            .tokenizer(tokenizer)
            .spec();

    assertThatThrownBy(() -> PrepFixture.prepare(spark, spec))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageStartingWith("The chat template writes the beginning");
  }

  @Test
  void replacesAnEarlierDataSet() throws Exception {
    Path out = dir.resolve("out");
    PrepFixture.prepare(
        spark, PrepFixture.tokenized(tokenizedRows("many.jsonl", 9000, 2), out).evalRows(1).spec());
    PrepSpec spec = PrepFixture.tokenized(tokenizedRows("few.jsonl", 2, 2), out).spec();
    PrepFixture.prepare(spark, spec);

    assertThat(PrepFixture.files(spec))
        .containsOnlyKeys(
            "part-00000.arrow", "part-00001.arrow", "quarantine.jsonl", "dataset.json");
  }

  private Path tokenizedRows(String name, int rows, int length) throws IOException {
    ObjectMapper json = new ObjectMapper();
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < rows; i++) {
      int id = i;
      int[] ids = IntStream.range(0, length).map(p -> id).toArray();
      JsonNode row =
          json.createObjectNode().put("prompt_length", 1).set("input_ids", json.valueToTree(ids));
      lines.add(row.toString());
    }
    return Files.write(dir.resolve(name), lines);
  }

  private static List<Long> firstIds(PrepSpec spec, Split split) {
    try (PreparedDataset dataset =
        PreparedDataset.open(spec.datasetUri(), split, new Storage(new Configuration()))) {
      return LongStream.range(0, dataset.size())
          .mapToObj(i -> (long) dataset.read(i).inputIds()[0])
          .toList();
    }
  }
}
