package dev.anneal.data.prep;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.Shared;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.DatasetManifest.PartFile;
import dev.anneal.data.manifest.SourceFingerprint;
import dev.anneal.data.manifest.Split;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PreparedBeforeTest {
  private static final Storage STORAGE = new Storage(new Configuration());
  private static SparkSession spark;

  @TempDir Path dir;
  private Path rows;

  @BeforeAll
  static void start() {
    spark = PrepFixture.spark(1);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @BeforeEach
  void writeRows() throws Exception {
    rows = Files.createDirectory(dir.resolve("rows")).resolve("a.jsonl");
    for (int i = 0; i < 20; i++) {
      addRow(rows, i);
    }
  }

  @Test
  void settingsAloneDoNotLookAtTheSource() throws Exception {
    PrepFixture.prepare(spark, fixture("out").spec());
    addRow(rows, 20);
    assertThat(PreparedBefore.find(fixture("out").spec(), STORAGE).manifest()).isEmpty();
    assertThat(PreparedBefore.findBySettings(fixture("out").spec(), STORAGE).manifest())
        .isPresent();
  }

  @Test
  void takesWhatAnEarlierRunHasPrepared() throws Exception {
    DatasetManifest manifest = PrepFixture.prepare(spark, fixture("out").spec());
    PreparedBefore found = PreparedBefore.find(fixture("out").spec(), STORAGE);
    assertThat(found).isEqualTo(new PreparedBefore(Optional.of(manifest), null));

    SortedMap<String, String> files = PrepFixture.files(fixture("out").spec());
    assertThat(manifest.train().files()).isNotEmpty();
    for (Split split : Split.values()) {
      for (PartFile file : manifest.part(split).files()) {
        assertThat(file.sha256()).isEqualTo(files.get(file.name()));
      }
    }
  }

  @Test
  void findsNothingInAnEmptyFolder() {
    assertDifference(fixture("out"), "holds no complete data set");
  }

  @Test
  void noticesAChangedRow() throws Exception {
    PrepFixture.prepare(spark, fixture("out").spec());
    FileTime before = Files.getLastModifiedTime(rows);
    addRow(rows, 20);
    Files.setLastModifiedTime(rows, before);
    assertDifference(
        fixture("out"),
        "data.source '%s' has changed since the data set was prepared: it was 1 files with "
            .formatted(rows.getParent()));
  }

  @Test
  void noticesAFileOfTheSameSizeThatWasWrittenAnew() throws Exception {
    PrepFixture.prepare(spark, fixture("out").spec());
    Files.setLastModifiedTime(rows, FileTime.fromMillis(1_000_000));
    assertDifference(fixture("out"), "but of other names or times.");
  }

  @Test
  void noticesOneMoreFile() throws Exception {
    PrepFixture.prepare(spark, fixture("out").spec());
    addRow(rows.resolveSibling("b.jsonl"), 1);
    assertDifference(fixture("out"), "and is 2 with ");
  }

  @Test
  void noticesOtherSettings() throws Exception {
    PrepFixture.prepare(spark, fixture("out").spec());
    assertDifference(
        fixture("out").maxLength(512),
        "The data set was prepared with other settings: max_length is 512 and was 1024.");
    assertDifference(fixture("out").limit(5), "limit is 5 and was null.");
    assertDifference(
        fixture("out").columns(Map.of("input_ids", "ids")),
        "columns is {\"input_ids\":\"ids\"} and was {}.");
  }

  @Test
  void noticesFilesThatAreCutOrMissing() throws Exception {
    DatasetManifest manifest = PrepFixture.prepare(spark, fixture("out").spec());
    String name = manifest.train().files().get(0).name();
    Path file = dir.resolve("out/dataset").resolve(name);
    try (RandomAccessFile cut = new RandomAccessFile(file.toFile(), "rw")) {
      cut.setLength(cut.length() - 1);
    }
    String sentence = "The file " + name + " of the data set is missing or has another size.";
    assertDifference(fixture("out"), sentence);
    Files.delete(file);
    assertDifference(fixture("out"), sentence);
  }

  @Test
  void doesNotTrustADataSetThatDoesNotTellItsSource() throws Exception {
    PrepFixture.prepare(spark, fixture("out").spec());
    Path file = dir.resolve("out/dataset/dataset.json");
    ObjectMapper json = new ObjectMapper();
    ObjectNode manifest = (ObjectNode) json.readTree(file.toFile());
    assertThat(manifest.remove("source_files").path("files").asInt()).isEqualTo(1);
    json.writeValue(file.toFile(), manifest);
    assertDifference(fixture("out"), "Nothing tells whether data.source '");
    for (String damaged : List.of("null", "{\"schema_version\": 1}")) {
      Files.writeString(file, damaged);
      assertDifference(fixture("out"), "is not a data set's manifest: prepare the data set again.");
    }
  }

  @Test
  void asksForTheSameTokenizerAndTemplateWhereverTheyLie() throws Exception {
    Path tokenizer = Files.createDirectory(dir.resolve("tokenizer"));
    for (String name : List.of("tokenizer.json", "tokenizer_config.json")) {
      Files.copy(Shared.llamaTokenizer().resolve(name), tokenizer.resolve(name));
    }
    PrepFixture alpaca = PrepFixture.alpaca(dir.resolve("out")).limit(40);
    DatasetManifest manifest = PrepFixture.prepare(spark, alpaca.spec());
    alpaca.tokenizer(tokenizer);
    assertThat(PreparedBefore.find(alpaca.spec(), STORAGE).manifest()).contains(manifest);

    Path template = tokenizer.resolve("chat_template.jinja");
    Files.writeString(template, "{% for m in messages %}{{ m.content }}{% endfor %}");
    assertDifference(alpaca, "The chat template has changed since the data set was prepared.");
    Files.delete(template);
    Path config = tokenizer.resolve("tokenizer_config.json");
    String before = Files.readString(config);
    Files.writeString(config, before.replace("<|eot_id|>\",", "<|end_of_text|>\","));
    assertThat(config).content().isNotEqualTo(before);
    assertDifference(alpaca, "The tokenizer has changed since the data set was prepared.");
    Files.writeString(config, before);
    Files.writeString(tokenizer.resolve("tokenizer.json"), "\n", StandardOpenOption.APPEND);
    assertDifference(alpaca, "The tokenizer has changed since the data set was prepared.");
  }

  @Test
  void theIdentityIsThatOfTheContent() throws Exception {
    String here = PrepFixture.prepare(spark, fixture("out").spec()).sha256();
    Path copy = Files.createDirectory(dir.resolve("copy")).resolve("a.jsonl");
    Files.copy(rows, copy);
    PrepFixture elsewhere = fixture("elsewhere").source(copy);
    assertThat(PrepFixture.prepare(spark, elsewhere.spec()).sha256()).isEqualTo(here).hasSize(64);
    assertThat(DatasetManifest.read(elsewhere.spec().datasetUri(), STORAGE).sha256())
        .isEqualTo(here);
    assertThat(PrepFixture.prepare(spark, elsewhere.seed(7).spec()).sha256()).isNotEqualTo(here);
  }

  @Test
  void ofTheHubTheCommitCountsAndNotTheCopy() {
    String copy = "/hub/org/name/%s/a.jsonl";
    SourceFingerprint first = hub("one", copy.formatted("c0ffee"));
    assertThat(hub("two", copy.formatted("c0ffee"))).isEqualTo(first);
    assertThat(hub("one", copy.formatted("decade"))).isNotEqualTo(first);
  }

  private SourceFingerprint hub(String output, String path) {
    PrepSpec spec =
        PrepFixture.tokenized(rows, dir.resolve(output)).source("hub:datasets/org/name").spec();
    FileInfo copy = new FileInfo(SourceFiles.qualified(dir.resolve(output) + path, STORAGE), 3);
    return spec.fingerprint(List.of(copy), STORAGE);
  }

  private PrepFixture fixture(String output) {
    return PrepFixture.tokenized(rows.getParent(), dir.resolve(output)).evalRows(2);
  }

  private static void assertDifference(PrepFixture fixture, String part) {
    PreparedBefore found = PreparedBefore.find(fixture.spec(), STORAGE);
    assertThat(found.manifest()).isEmpty();
    assertThat(found.difference()).contains(part);
  }

  private static void addRow(Path file, int i) throws Exception {
    Files.writeString(
        file,
        "{\"input_ids\": [%s, 5, 6], \"target_spans\": [1, 3]}\n".formatted(i),
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
  }
}
