package dev.anneal.spark.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.source.FileRange;
import dev.anneal.data.source.RowReader;
import dev.anneal.storage.Storage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowFileWriter;
import org.apache.arrow.vector.ipc.ArrowStreamWriter;
import org.apache.arrow.vector.ipc.ArrowWriter;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.SimpleGroup;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.example.ExampleParquetWriter;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("fuzz")
class SourceFuzzTest {
  @TempDir(factory = MemoryTempDir.class)
  Path dir;

  private final Storage storage = new Storage(new Configuration());

  @Test
  void json() throws Exception {
    String array =
        "[{\"instruction\":\"Add 1\",\"output\":\"\\u00e9 2\"},\n {\"output\":null,\"n\":[1.5,-2e3]}]\n";
    String lines =
        "{\"instruction\":\"Add 1\",\"output\":\"\\u00e9 2\"}\n\n{\"output\":null,\"n\":[1.5,-2e3]}\r\n";
    List<String> words = List.of("\"output\":", "\"a\"", "{\"a\":1}", ",\n", "\ufeff", "]");
    fuzz(
        "JSON files of rows",
        "rows.json",
        List.of(array.getBytes(UTF_8), lines.getBytes(UTF_8)),
        words,
        InvalidDataException.class);
  }

  @Test
  void csv() throws Exception {
    String rows = "instruction,output\r\nAdd 1,2\n\"a \"\"b\"\", c\",\"two\nlines\"\n";
    List<String> words = List.of("\"\"", "\",\"", ",,", "\r\n", "\r", "output", "\ufeff");
    fuzz(
        "CSV files of rows",
        "rows.csv",
        List.of(rows.getBytes(UTF_8)),
        words,
        InvalidDataException.class);
  }

  @Test
  void parquet() throws Exception {
    // for some damage Parquet's library has what a storage that fails gives
    fuzz(
        "Parquet files of rows",
        "rows.parquet",
        List.of(parquetRows()),
        List.of("PAR1", "\u0015"),
        InvalidDataException.class,
        UncheckedIOException.class);
  }

  @Test
  void arrow() throws Exception {
    List<byte[]> seeds = List.of(arrowRows(Framing.FILE), arrowRows(Framing.STREAM));
    fuzz(
        "Arrow files of rows",
        "rows.arrow",
        seeds,
        List.of("ARROW1", "\u0008"),
        InvalidDataException.class);
  }

  private void fuzz(
      String name, String file, List<byte[]> seeds, List<String> words, Class<?>... refusals)
      throws Exception {
    Path path = dir.resolve(file);
    Fuzz.run(
        name,
        new Mutator(Fuzz.seed(), seeds, words),
        rows -> {
          Files.write(path, rows);
          read(new Storage.FileInfo(path.toString(), rows.length));
        },
        refusals);
  }

  private void read(Storage.FileInfo file) throws IOException {
    for (FileRange range : FileRange.of(file, storage)) {
      try (RowReader rows = RowReader.open(range, storage)) {
        while (rows.hasNext()) {
          rows.next();
        }
      }
    }
  }

  private byte[] parquetRows() throws IOException {
    MessageType type =
        MessageTypeParser.parseMessageType(
            "message m { required int64 number; optional binary text (STRING); }");
    Path path = dir.resolve("seed.parquet");
    try (ParquetWriter<Group> writer =
        ExampleParquetWriter.builder(new org.apache.hadoop.fs.Path(path.toUri()))
            .withType(type)
            .build()) {
      for (int i = 0; i < 3; i++) {
        writer.write(new SimpleGroup(type).append("number", (long) i).append("text", "row " + i));
      }
    }
    return Files.readAllBytes(path);
  }

  private enum Framing {
    FILE,
    STREAM
  }

  private static byte[] arrowRows(Framing framing) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (BufferAllocator allocator = new RootAllocator();
        VarCharVector text = new VarCharVector("text", allocator);
        BigIntVector number = new BigIntVector("number", allocator)) {
      text.allocateNew();
      number.allocateNew();
      for (int i = 0; i < 3; i++) {
        text.setSafe(i, ("row " + i).getBytes(UTF_8));
        number.setSafe(i, i);
      }
      try (VectorSchemaRoot root = new VectorSchemaRoot(new ArrayList<>(List.of(text, number)));
          OutputStream out = bytes;
          ArrowWriter writer =
              framing == Framing.FILE
                  ? new ArrowFileWriter(root, null, Channels.newChannel(out))
                  : new ArrowStreamWriter(root, null, out)) {
        root.setRowCount(3);
        writer.start();
        writer.writeBatch();
        writer.end();
      }
    }
    return bytes.toByteArray();
  }
}
