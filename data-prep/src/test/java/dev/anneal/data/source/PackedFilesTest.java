package dev.anneal.data.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.compress.compressors.CompressorStreamFactory;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.io.compress.DeflateCodec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files that are packed, not there, not quite JSON, or too much for the memory. */
class PackedFilesTest {
  private static final String ONE = "{\"a\":1}\n";
  private static final String TWO = "{\"a\":2}\n";

  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource({"gz,gz", "bzip2,bz2", "xz,xz", "zstd,zst"})
  void unpacksWhatSparkCan(String form, String suffix) throws Exception {
    byte[] twice = concat(packed(form, ONE), packed(form, TWO));
    assertThat(rows("rows.jsonl." + suffix, twice)).containsExactly(ONE.strip(), TWO.strip());
    assertThat(rows("no-name", twice)).containsExactly(ONE.strip(), TWO.strip());
    assertThat(rows("rows.csv." + suffix, packed(form, "a\nx\n"))).containsExactly("{\"a\":\"x\"}");
    assertThat(rows("rows.json." + suffix, packed(form, "[" + ONE + "," + TWO + "]")))
        .containsExactly(ONE.strip(), TWO.strip());
  }

  @Test
  void unpacksOtherFormsWithTheCodecsOfHadoop() throws Exception {
    DeflateCodec codec = new DeflateCodec();
    codec.setConf(new Configuration());
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream out = codec.createOutputStream(bytes)) {
      out.write((ONE + TWO).getBytes(StandardCharsets.UTF_8));
    }
    assertThat(rows("rows.jsonl.deflate", bytes.toByteArray()))
        .containsExactly(ONE.strip(), TWO.strip());
  }

  @Test
  void readsNumbersAsPythonWritesThem() throws Exception {
    String row = "{\"a\":NaN,\"b\":[Infinity,-Infinity]}";
    assertThat(rows("rows.jsonl", row.getBytes(StandardCharsets.UTF_8))).containsExactly(row);
    assertThat(rows("rows.json", ("[" + row + "]").getBytes(StandardCharsets.UTF_8)))
        .containsExactly(row);
    assertThat(JsonRows.parse(row).get("a").doubleValue()).isNaN();
    assertThat(JsonRows.parse(row).get("b").get(1).doubleValue()).isEqualTo(-1 / 0.0);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[{\"a\": nan}] | 'nan' is not JSON",
        "[{\"a\" 1}] | '1' cannot stand here",
        "[{\"a\": 1 | it ends in the middle",
        "[{\"a\": 01}] | not JSON",
      })
  void saysInItsOwnWordsWhatIsNotJson(String text, String words) {
    assertThatThrownBy(() -> rows("rows.json", text.getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("rows.json' is broken in line 1, row 1 (" + words + ")");
  }

  @Test
  void saysInItsOwnWordsWhatIsTooMuch() {
    String deep = "[".repeat(2000) + "]".repeat(2000);
    assertThatThrownBy(() -> rows("rows.json", deep.getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("too much is nested");
  }

  @ParameterizedTest
  @CsvSource({"rows.jsonl", "rows.csv", "rows.parquet", "rows.arrow"})
  void callsWhatGitLfsLeftByItsName(String name) {
    String pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assertThatThrownBy(() -> rows(name, pointer.getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining(name + "' is a Git LFS pointer");
  }

  @ParameterizedTest
  @CsvSource({"ARROW_STREAM", "ARROW_FILE", "PARQUET"})
  void letsOutOfMemoryGoUpAsItIs(FileForm form) throws Exception {
    Path file = Files.write(dir.resolve("rows"), new byte[100]);
    Configuration conf = new Configuration();
    conf.setClass("fs.full.impl", NoMemory.class, org.apache.hadoop.fs.FileSystem.class);
    FileRange range = new FileRange("full:" + file, form, 0, FileRange.END_OF_FILE);
    assertThatThrownBy(
            () -> {
              try (RowReader reader = RowReader.open(range, new Storage(conf))) {
                reader.hasNext();
              }
            })
        .isInstanceOf(OutOfMemoryError.class)
        .hasMessage("Java heap space");
  }

  /** A file system whose files are too much for the memory. */
  public static final class NoMemory extends RawLocalFileSystem {
    @Override
    public String getScheme() {
      return "full";
    }

    @Override
    public java.net.URI getUri() {
      return java.net.URI.create("full:///");
    }

    @Override
    protected void checkPath(org.apache.hadoop.fs.Path path) {}

    @Override
    public org.apache.hadoop.fs.FileStatus getFileStatus(org.apache.hadoop.fs.Path path) {
      return new org.apache.hadoop.fs.FileStatus(100, false, 1, 1 << 20, 0, path);
    }

    @Override
    public FSDataInputStream open(org.apache.hadoop.fs.Path path, int buffer) {
      return new FSDataInputStream(
          new FSInputStream() {
            @Override
            public int read() {
              throw new OutOfMemoryError("Java heap space");
            }

            @Override
            public int read(byte[] bytes, int offset, int length) {
              return read();
            }

            @Override
            public void seek(long position) {}

            @Override
            public long getPos() {
              return 0;
            }

            @Override
            public boolean seekToNewSource(long position) {
              return false;
            }
          });
    }
  }

  private List<String> rows(String name, byte[] content) throws IOException {
    Path file = Files.write(dir.resolve(name), content);
    Storage storage = new Storage(new Configuration());
    List<String> rows = new ArrayList<>();
    for (FileRange range : FileRange.of(new FileInfo(file.toString(), content.length), storage)) {
      try (RowReader reader = RowReader.open(range, storage)) {
        reader.forEachRemaining(row -> rows.add(row.json()));
      }
    }
    return rows;
  }

  private static byte[] packed(String form, String text) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (OutputStream out =
        new CompressorStreamFactory().createCompressorOutputStream(form, bytes)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
    return bytes.toByteArray();
  }

  private static byte[] concat(byte[] one, byte[] other) {
    byte[] both = java.util.Arrays.copyOf(one, one.length + other.length);
    System.arraycopy(other, 0, both, one.length, other.length);
    return both;
  }
}
