package dev.anneal.data.source;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.source.RowReader.Row;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.security.AccessControlException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowReaderTest {
  @TempDir Path dir;
  private final Storage storage = new Storage(new Configuration());

  @Test
  void readsAnArrayAndLinesAlike() throws Exception {
    String[] rows = {"{\"a\":\"x\"}", "{\"a\":[1,null]}"};

    assertThat(jsons("rows", "\uFEFF [" + String.join(",\n", rows) + " ]\n")).containsExactly(rows);
    assertThat(jsons("rows", "\uFEFF" + rows[0] + "\r\n \n" + rows[1])).containsExactly(rows);
    assertThat(jsons("rows", "")).isEmpty();
    assertThat(jsons("rows", "[]")).isEmpty();
  }

  @Test
  void givesEveryLineToOneRangeWhereverItIsCut() throws Exception {
    List<String> rows =
        IntStream.range(0, 50).mapToObj(i -> "{\"i\":\"" + "é".repeat(i % 7) + i + "\"}").toList();
    FileInfo file = write("rows.jsonl", String.join("\n", rows).getBytes(UTF_8));
    for (long rangeBytes = 1; rangeBytes < 40; rangeBytes++) {
      List<FileRange> ranges = FileRange.of(file, rangeBytes, storage);
      assertThat(ranges).hasSize((int) ((file.bytes() + rangeBytes - 1) / rangeBytes));
      assertThat(read(ranges)).extracting(Row::json).isEqualTo(rows);
      assertThat(counted(ranges)).isEqualTo(50);
    }
  }

  @Test
  void goesOnBehindALineThatCannotBeRead() throws Exception {
    List<Row> rows =
        read("rows.jsonl", "{\"a\":1}\n{\"a\":\"Grüße\"}\n{\"a\":3}\n".getBytes(ISO_8859_1));

    assertThat(rows).extracting(Row::fault).containsExactly(null, "the row is not UTF-8", null);
    assertThat(rows.get(1).json()).startsWith("{\"a\":\"Gr");
  }

  @Test
  void cutsALineThatWouldFillTheMemory() throws Exception {
    byte[] text = new byte[LineReader.MAX_LINE_BYTES + 100];
    Arrays.fill(text, (byte) 'a');
    text[0] = '{';
    text[text.length - 10] = '\n';
    List<Row> rows = read("rows.jsonl", text);

    assertThat(rows).extracting(Row::fault).containsExactly("the row is longer than 64 MiB", null);
    assertThat(rows.get(1).json()).isEqualTo("aaaaaaaaa");
  }

  @Test
  void unpacksGzippedLines() throws Exception {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write("{\"a\":1}\n{\"a\":2}\n".getBytes(UTF_8));
    }
    assertThat(read("rows.jsonl.gz", packed.toByteArray()))
        .extracting(Row::json)
        .containsExactly("{\"a\":1}", "{\"a\":2}");
  }

  @Test
  void readsCsvWithQuotesLineEndsAndDelimitersInFields() throws Exception {
    String text =
        """
        instruction,"input",output
        Say hi,,"Hi, ""you""\"
        "Two
        lines",5" wide,x\r
        """;
    assertThat(jsons("rows.csv", "\uFEFF" + text))
        .containsExactly(
            "{\"instruction\":\"Say hi\",\"input\":\"\",\"output\":\"Hi, \\\"you\\\"\"}",
            "{\"instruction\":\"Two\\nlines\",\"input\":\"5\\\" wide\",\"output\":\"x\"}");
    assertThat(jsons("rows.tsv", "a\tb\n1,2\t3\n")).containsExactly("{\"a\":\"1,2\",\"b\":\"3\"}");
    assertThat(jsons("rows.csv", "a,b\r\n\"x\r\ny\nz\r\n\",\"\"\"\r\n\"\r\n"))
        .containsExactly("{\"a\":\"x\\r\\ny\\nz\\r\\n\",\"b\":\"\\\"\\r\\n\"}");
    assertThat(jsons("rows.csv", "")).isEmpty();
    assertThat(jsons("rows.csv", "a,b\n")).isEmpty();
  }

  @Test
  void marksRowsOfCsvThatDoNotFitTheHeader() throws Exception {
    byte[] text = "a,b\n1,2\n1,2,3\n\"1\"x,2\nGrüße,2\n3,4\n".getBytes(ISO_8859_1);

    assertThat(read("rows.csv", text))
        .extracting(Row::fault)
        .containsExactly(
            null,
            "the row has another number of fields than the first line",
            "a field goes on behind its closing quote",
            "the row is not UTF-8",
            null);
  }

  @Test
  void refusesCsvWhoseRestWouldBeLost() {
    assertThatThrownBy(() -> jsons("rows.csv", "a,b\n1,2\n\"3,4\n5,6\n7,8\n"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageEndingWith(
            "rows.csv' is broken in row 2 (a quote is never closed): correct or remove it.");
    assertThatThrownBy(() -> jsons("rows.csv", "a,a\n1,2\n"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("must begin with a line of column names");
  }

  /** Files that are not local, as object stores have them. */
  public static final class FarFileSystem extends RawLocalFileSystem {
    @Override
    public URI getUri() {
      return URI.create("afar:///");
    }
  }

  @Test
  void readsThroughWhateverFileSystemHadoopHas() throws Exception {
    Configuration conf = new Configuration();
    conf.setClass("fs.afar.impl", FarFileSystem.class, RawLocalFileSystem.class);
    Storage far = new Storage(conf);
    Files.writeString(dir.resolve("a.jsonl"), "{\"a\":1}\n{\"a\":2}\n");
    Files.writeString(dir.resolve("b.json"), "[{\"a\":3}]");
    List<String> rows = new ArrayList<>();
    for (FileInfo file : SourceFiles.find("afar:" + dir + "/[ab].*", "", far)) {
      assertThat(file.uri()).startsWith("afar:/");
      for (FileRange range : FileRange.of(file, 5, far)) {
        try (RowReader reader = RowReader.open(range, far)) {
          reader.forEachRemaining(row -> rows.add(row.json()));
        }
      }
    }
    assertThat(rows).containsExactly("{\"a\":1}", "{\"a\":2}", "{\"a\":3}");
  }

  /** Files that may be listed, but not read. */
  public static final class ShutFileSystem extends RawLocalFileSystem {
    @Override
    public URI getUri() {
      return URI.create("shut:///");
    }

    @Override
    public FSDataInputStream open(org.apache.hadoop.fs.Path path, int bufferSize)
        throws IOException {
      throw new AccessControlException("user=intern, access=READ");
    }
  }

  @Test
  void namesAFileThatMayNotBeRead() throws Exception {
    Configuration conf = new Configuration();
    conf.setClass("fs.shut.impl", ShutFileSystem.class, RawLocalFileSystem.class);
    Storage shut = new Storage(conf);
    Files.writeString(dir.resolve("a.jsonl"), "{}\n");
    List<FileInfo> files = SourceFiles.find("shut:" + dir + "/a.jsonl", "", shut);
    assertThatThrownBy(() -> FileRange.of(files.get(0), shut))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageMatching("No permission to read 'shut:.*/a.jsonl': grant it or .*");
  }

  @Test
  void refusesAFileThatIsNothingItKnows() {
    assertThatThrownBy(() -> jsons("rows.txt", "instruction,output\n"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("rows.txt' is not JSON in UTF-8 (line 1)");
  }

  @Test
  void refusesAnArrayThatIsBrokenInTheMiddle() {
    assertThatThrownBy(() -> jsons("rows.json", "[{\"a\": 1},\n{\"a\" 2},\n{\"a\": 3}]"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("rows.json' is broken in line 2, row 2");
    assertThatThrownBy(() -> jsons("rows.json", "[{\"a\": 1},\n{\"a\": 2}"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("rows.json' is broken in line 2, row 3");
    assertThatThrownBy(() -> jsons("rows.json", "[{\"a\": 1},\n" + "[".repeat(2000)))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("rows.json' is broken in line 2, row 2");
    assertThatThrownBy(() -> jsons("rows.json", "[{\"a\": 1}] 2"))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("text after the end of the array");
  }

  private List<String> jsons(String name, String text) throws IOException {
    List<Row> rows = read(name, text.getBytes(UTF_8));
    assertThat(rows).allSatisfy(row -> assertThat(row.fault()).isNull());
    return rows.stream().map(Row::json).toList();
  }

  private List<Row> read(String name, byte[] bytes) throws IOException {
    List<FileRange> ranges = FileRange.of(write(name, bytes), storage);
    List<Row> rows = read(ranges);
    assertThat(counted(ranges)).isEqualTo(rows.size());
    return rows;
  }

  private FileInfo write(String name, byte[] bytes) throws IOException {
    return new FileInfo(Files.write(dir.resolve(name), bytes).toUri().toString(), bytes.length);
  }

  private List<Row> read(List<FileRange> ranges) throws IOException {
    List<Row> rows = new ArrayList<>();
    for (FileRange range : ranges) {
      try (RowReader reader = RowReader.open(range, storage)) {
        reader.forEachRemaining(rows::add);
      }
    }
    return rows;
  }

  private long counted(List<FileRange> ranges) throws IOException {
    long rows = 0;
    for (FileRange range : ranges) {
      try (RowReader reader = RowReader.open(range, storage)) {
        rows += reader.count(Long.MAX_VALUE);
      }
    }
    return rows;
  }
}
