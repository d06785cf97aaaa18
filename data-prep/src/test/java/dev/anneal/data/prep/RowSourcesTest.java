package dev.anneal.data.prep;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.arrow.PreparedSequence;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.Split;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.ipc.ArrowFileWriter;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;
import org.apache.arrow.vector.types.pojo.Schema;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a prepared row says of where it comes from. */
class RowSourcesTest {
  private static final Storage STORAGE = new Storage(new Configuration());

  @TempDir Path dir;

  @Test
  void rowsKeepTheirFieldOrElseTheNameOfTheirFile() throws Exception {
    Path rows = Files.createDirectories(dir.resolve("rows/code"));
    Files.writeString(
        dir.resolve("rows/chat-00000-of-00002.jsonl"),
        row(1, "") + row(2, ",\"source\":\"the \\n web\"") + row(3, ",\"source\":7"));
    Files.writeString(dir.resolve("rows/chat-00001-of-00002.jsonl"), row(4, ",\"dataset\":\"d\""));
    Files.writeString(rows.resolve("part-00000-c000.snappy.jsonl"), row(5, ""));
    Files.writeString(rows.resolve("part-00001-c000.snappy.jsonl"), row(6, ",\"source\":\" \""));
    PrepSpec spec =
        PrepFixture.tokenized(dir.resolve("rows/{*,*/*}.jsonl"), dir.resolve("out"))
            .format(RowFormat.TOKENIZED)
            .inFileOrder()
            .evalRows(2)
            .spec();
    DatasetManifest manifest = prepare(spec);
    assertThat(manifest.notes()).containsExactly("Fields that nothing reads: source.");
    assertThat(sources(spec, Split.TRAIN)).containsExactly("1 chat", "2 the web", "3 chat", "4 d");
    assertThat(sources(spec, Split.EVAL)).containsExactly("5 code", "6 code");
  }

  @Test
  void filesThatDifferInTheirNumbersAloneAreOneSource() {
    assertThat(named("s3a://b/x/part-00000-1.parquet", "s3a://b/x/part-00001-1.parquet")).isEmpty();
    assertThat(
            named("file:/d/train-00000-of-00002.parquet", "file:/d/train-00001-of-00002.parquet"))
        .isEmpty();
    assertThat(named("file:/d/a.jsonl")).isEmpty();
    assertThat(
            named(
                "file:/d/train-00000-of-00002-a09b74b3ef9c3b56.parquet",
                "file:/d/train-00001-of-00002-0c1d2e3f4a5b6c7d.parquet"))
        .isEmpty();
    assertThat(named("file:/d/a.JSONL.gz", "file:/d/b_00002.jsonl", "file:/d/b_00010.jsonl"))
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(
                "file:/d/a.JSONL.gz", "a",
                "file:/d/b_00002.jsonl", "b",
                "file:/d/b_00010.jsonl", "b"));
    String task = "-3f2b1c9e-0d4a-4e5b-8a7c-112233445566-c000.snappy.parquet";
    assertThat(named("file:/d/part-00000" + task, "file:/d/part-00001" + task)).isEmpty();
    assertThat(named("file:/d/flan/a.json", "file:/d/flan/b/a.json", "file:/d/dolly/part-0.json"))
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(
                "file:/d/flan/a.json", "flan/a",
                "file:/d/flan/b/a.json", "flan/b/a",
                "file:/d/dolly/part-0.json", "dolly"));
  }

  @Test
  void yearsAndVersionsAreNoNumbersOfShards() {
    assertThat(
            named(
                "file:/d/wmt-2014.csv",
                "file:/d/wmt-2019.csv.bz2",
                "file:/d/math.v1.jsonl",
                "file:/d/math.v2.jsonl.zst",
                "file:/d/math.v2.snappy.parquet"))
        .containsExactlyInAnyOrderEntriesOf(
            Map.of(
                "file:/d/wmt-2014.csv", "wmt-2014",
                "file:/d/wmt-2019.csv.bz2", "wmt-2019",
                "file:/d/math.v1.jsonl", "math.v1",
                "file:/d/math.v2.jsonl.zst", "math.v2",
                "file:/d/math.v2.snappy.parquet", "math.v2"));
  }

  private static Map<String, String> named(String... uris) {
    return FileSources.of(Stream.of(uris).map(uri -> new FileInfo(uri, 1)).toList()).byFile();
  }

  @Test
  void readsFilesOfEarlierVersionsWithoutSources() throws Exception {
    Path file = dir.resolve("part-00000.arrow");
    try (OutputStream out = Files.newOutputStream(file)) {
      writeThreeColumns(out);
    }
    Files.writeString(
        dir.resolve("dataset.json"),
        "{\"schema_version\":1,\"spec\":{},\"rows\":{},\"train\":{\"sequences\":1,\"files\":[{\"name\":\"part-00000.arrow\",\"sequences\":1,\"bytes\":%s}]},\"eval\":{\"files\":[]}}"
            .formatted(Files.size(file)));
    try (PreparedDataset dataset = PreparedDataset.open(dir.toString(), Split.TRAIN, STORAGE)) {
      PreparedSequence sequence = dataset.read(0);
      assertThat(sequence.inputIds()).containsExactly(5, 6, 7);
      assertThat(sequence.rowSources()).isEmpty();
      assertThat(sequence.rows()).extracting(TokenizedRow::source).containsExactly("", "");
    }
  }

  /** As versions before {@code row_sources} wrote it. */
  private static void writeThreeColumns(OutputStream out) throws Exception {
    List<Field> fields = new ArrayList<>();
    for (String name : List.of("input_ids", "row_lengths", "target_spans")) {
      Field element =
          new Field("element", FieldType.notNullable(new ArrowType.Int(32, true)), null);
      fields.add(new Field(name, FieldType.notNullable(new ArrowType.List()), List.of(element)));
    }
    int[][] values = {{5, 6, 7}, {2, 1}, {1, 2}};
    try (BufferAllocator allocator = new RootAllocator();
        VectorSchemaRoot root =
            VectorSchemaRoot.create(new Schema(fields, Map.of("batch_rows", "32")), allocator);
        ArrowFileWriter writer = new ArrowFileWriter(root, null, Channels.newChannel(out))) {
      writer.start();
      for (int column = 0; column < values.length; column++) {
        ListVector list = (ListVector) root.getVector(column);
        int start = list.startNewValue(0);
        for (int i = 0; i < values[column].length; i++) {
          ((IntVector) list.getDataVector()).setSafe(start + i, values[column][i]);
        }
        list.endValue(0, values[column].length);
      }
      root.setRowCount(1);
      writer.writeBatch();
      writer.end();
    }
  }

  private static DatasetManifest prepare(PrepSpec spec) {
    SparkSession spark = PrepFixture.spark(2);
    try {
      return PrepFixture.prepare(spark, spec);
    } finally {
      spark.stop();
    }
  }

  /** First id and source of every row, in the order of the ids. */
  private static List<String> sources(PrepSpec spec, Split split) {
    List<String> found = new ArrayList<>();
    try (PreparedDataset dataset = PreparedDataset.open(spec.datasetUri(), split, STORAGE)) {
      for (long i = 0; i < dataset.size(); i++) {
        for (TokenizedRow row : dataset.read(i).rows()) {
          found.add(row.ids()[0] + " " + row.source());
        }
      }
    }
    return found.stream().sorted().toList();
  }

  private static String row(int id, String more) {
    return "{\"input_ids\":[%s,2,3],\"prompt_length\":1%s}\n".formatted(id, more);
  }
}
