package dev.anneal.data.source;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.source.RowReader.Row;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.BitVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.Float8Vector;
import org.apache.arrow.vector.NullVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.impl.UnionListWriter;
import org.apache.arrow.vector.dictionary.Dictionary;
import org.apache.arrow.vector.dictionary.DictionaryEncoder;
import org.apache.arrow.vector.dictionary.DictionaryProvider;
import org.apache.arrow.vector.ipc.ArrowStreamWriter;
import org.apache.arrow.vector.types.pojo.DictionaryEncoding;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroup;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ColumnarReaderTest {
  @TempDir Path dir;
  private final Storage storage = new Storage(new Configuration());

  @Test
  void readsEveryRowGroupOfParquetInOneRange() throws Exception {
    MessageType type =
        MessageTypeParser.parseMessageType(
            "message m { required int32 i; optional binary text (STRING); }");
    List<Group> rows =
        IntStream.range(0, 2000)
            .mapToObj(i -> new SimpleGroup(type).append("i", i).append("text", "row " + i * 37))
            .toList();
    FileInfo file = parquet(type, rows, 4096);

    List<FileRange> ranges = FileRange.of(file, 1, storage);
    assertThat(ranges).hasSizeGreaterThan(3);
    List<Row> read = read(ranges);
    assertThat(read).hasSize(2000);
    assertThat(read.get(1999)).isEqualTo(Row.of("{\"i\":1999,\"text\":\"row 73963\"}"));
    assertThat(IntStream.range(0, 2000))
        .allSatisfy(i -> assertThat(read.get(i).json()).startsWith("{\"i\":" + i + ","));
    long counted = 0;
    for (FileRange range : ranges) {
      try (RowReader reader = RowReader.open(range, storage)) {
        counted += reader.count(Long.MAX_VALUE);
      }
    }
    assertThat(counted).isEqualTo(2000);
    assertThat(FileRange.of(file, storage)).hasSize(1);
  }

  @Test
  void writesNestedParquetAsPlainJson() throws Exception {
    MessageType type =
        MessageTypeParser.parseMessageType(
            """
            message m {
              optional group messages (LIST) { repeated group list { optional group element {
                optional binary role (STRING); optional binary content (STRING); } } }
              optional group old (LIST) { repeated int64 array; }
              optional group map (MAP) { repeated group key_value {
                required binary key (STRING); optional double value; } }
              optional boolean flag;
            }
            """);
    SimpleGroup full = new SimpleGroup(type);
    Group messages = full.addGroup("messages");
    messages.addGroup("list").addGroup("element").append("role", "user").append("content", "Hi");
    messages.addGroup("list").addGroup("element").append("role", "assistant");
    messages.addGroup("list");
    full.addGroup("old").append("array", 3L).append("array", 4L);
    full.addGroup("map").addGroup("key_value").append("key", "a").append("value", 0.5);
    full.append("flag", true);
    SimpleGroup empty = new SimpleGroup(type);
    empty.addGroup("messages");

    assertThat(read(FileRange.of(parquet(type, List.of(full, empty), 1 << 20), storage)))
        .extracting(Row::json)
        .containsExactly(
            "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\","
                + "\"content\":null},null],\"old\":[3,4],\"map\":{\"a\":0.5},\"flag\":true}",
            "{\"messages\":[],\"old\":null,\"map\":null,\"flag\":null}");
  }

  @Test
  void marksTextsOfParquetThatAreNotUtf8() throws Exception {
    MessageType type = MessageTypeParser.parseMessageType("message m { required binary text; }");
    Binary latin = Binary.fromConstantByteArray(new byte[] {'G', 'r', (byte) 0xFC});
    List<Group> rows =
        List.of(
            new SimpleGroup(type).append("text", "good"),
            new SimpleGroup(type).append("text", latin));

    assertThat(read(FileRange.of(parquet(type, rows, 1 << 20), storage)))
        .extracting(Row::fault)
        .containsExactly(null, "the row is not UTF-8");
  }

  @Test
  void refusesDamagedParquetAndArrow() throws Exception {
    MessageType type = MessageTypeParser.parseMessageType("message m { required int32 i; }");
    FileInfo file = parquet(type, List.of(new SimpleGroup(type).append("i", 1)), 1 << 20);
    Path path = dir.resolve("rows.parquet");
    Files.delete(dir.resolve(".rows.parquet.crc"));
    Files.write(path, Arrays.copyOf(Files.readAllBytes(path), (int) file.bytes() - 9));
    assertThatThrownBy(() -> FileRange.of(file, storage))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("rows.parquet' is broken in its footer");

    Path arrow = Files.write(dir.resolve("rows.arrow"), "ARROW1\0\0 and no more".getBytes(UTF_8));
    FileInfo damaged = new FileInfo(arrow.toUri().toString(), Files.size(arrow));
    assertThatThrownBy(() -> read(FileRange.of(damaged, storage)))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("rows.arrow' is broken in row 1");
  }

  @Test
  void tellsDamagedPagesOfParquetFromAStorageThatFails() throws Exception {
    MessageType type = MessageTypeParser.parseMessageType("message m { required int32 i; }");
    FileInfo file = parquet(type, List.of(new SimpleGroup(type).append("i", 1)), 1 << 20);
    Path path = dir.resolve("rows.parquet");
    Files.delete(dir.resolve(".rows.parquet.crc"));
    byte[] damaged = Files.readAllBytes(path);
    // the first page begins behind "PAR1"
    Arrays.fill(damaged, 4, 12, (byte) 0xff);
    Files.write(path, damaged);
    assertThatThrownBy(() -> read(FileRange.of(file, storage)))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("rows.parquet' is broken in row 1 of a row group");
  }

  @Test
  void refusesMoreRowsOfNothingThanAnArrowFileCanMean() throws Exception {
    Path path = dir.resolve("rows.arrow");
    try (VectorSchemaRoot root = VectorSchemaRoot.of(new NullVector("nothing"));
        ArrowStreamWriter out = new ArrowStreamWriter(root, null, Files.newOutputStream(path))) {
      root.setRowCount(Integer.MAX_VALUE);
      out.writeBatch();
      out.end();
    }
    FileInfo file = new FileInfo(path.toUri().toString(), Files.size(path));

    assertThatThrownBy(() -> read(FileRange.of(file, storage)))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("it says that it has 2147483647 rows or more");
  }

  @Test
  void refusesAnArrowMessageThatIsLongerThanItsFile() throws Exception {
    byte[] lengthOfTwoGigabytes = {-1, -1, -1, -1, -1, -1, -1, 127, 16, 0, 0, 0};
    Path path = Files.write(dir.resolve("rows.arrow"), lengthOfTwoGigabytes);
    FileInfo file = new FileInfo(path.toUri().toString(), Files.size(path));

    assertThatThrownBy(() -> read(FileRange.of(file, storage)))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("a message is longer than the file");
  }

  @Test
  void writesNestedArrowAsPlainJson() throws Exception {
    Path path = dir.resolve("rows.arrow");
    try (BufferAllocator allocator = new RootAllocator();
        VarCharVector words = new VarCharVector("words", allocator);
        VarCharVector text = new VarCharVector("text", allocator);
        BigIntVector number = new BigIntVector("number", allocator);
        Float8Vector real = new Float8Vector("real", allocator);
        BitVector flag = new BitVector("flag", allocator);
        ListVector ids = ListVector.empty("ids", allocator)) {
      words.setSafe(0, "red".getBytes(UTF_8));
      words.setSafe(1, "blue".getBytes(UTF_8));
      words.setValueCount(2);
      text.setSafe(0, "blue".getBytes(UTF_8));
      text.setValueCount(2);
      number.setSafe(0, 1L << 40);
      number.setSafe(1, -1);
      real.setSafe(0, 0.25);
      flag.setSafe(1, 1);
      UnionListWriter writer = ids.getWriter();
      writer.setPosition(0);
      writer.startList();
      writer.bigInt().writeBigInt(7);
      writer.bigInt().writeBigInt(8);
      writer.endList();
      writer.setValueCount(2);
      for (FieldVector vector : List.of(number, real, flag, ids)) {
        vector.setValueCount(2);
      }
      Dictionary dictionary = new Dictionary(words, new DictionaryEncoding(1, false, null));
      try (FieldVector color = (FieldVector) DictionaryEncoder.encode(text, dictionary);
          VectorSchemaRoot root = new VectorSchemaRoot(List.of(color, number, real, flag, ids));
          ArrowStreamWriter out =
              new ArrowStreamWriter(
                  root,
                  new DictionaryProvider.MapDictionaryProvider(dictionary),
                  Files.newOutputStream(path))) {
        out.writeBatch();
        out.end();
      }
    }
    FileInfo file = new FileInfo(path.toUri().toString(), Files.size(path));

    assertThat(read(FileRange.of(file, storage)))
        .extracting(Row::json)
        .containsExactly(
            "{\"text\":\"blue\",\"number\":1099511627776,\"real\":0.25,\"flag\":null,\"ids\":[7,8]}",
            "{\"text\":null,\"number\":-1,\"real\":null,\"flag\":true,\"ids\":null}");
  }

  private FileInfo parquet(MessageType type, List<? extends Group> rows, long groupBytes)
      throws IOException {
    Path path = dir.resolve("rows.parquet");
    try (ParquetWriter<Group> writer =
        ExampleParquetWriter.builder(new org.apache.hadoop.fs.Path(path.toUri()))
            .withType(type)
            .withRowGroupSize(groupBytes)
            .withMinRowCountForPageSizeCheck(10)
            .build()) {
      for (Group row : rows) {
        writer.write(row);
      }
    }
    return new FileInfo(path.toUri().toString(), Files.size(path));
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
}
