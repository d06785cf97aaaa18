package dev.anneal.data.prep;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowFileWriter;
import org.apache.arrow.vector.ipc.ArrowStreamWriter;
import org.apache.arrow.vector.ipc.ArrowWriter;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.Schema;

/** Arrow IPC files of text columns, as other programs write them. */
final class ArrowFixture {
  private ArrowFixture() {}

  /** How the batches are framed. */
  enum Framing {
    FILE,
    STREAM
  }

  /** Writes rows in batches of 100. */
  static void write(Path file, Framing framing, List<Map<String, String>> rows) throws IOException {
    List<String> names = List.copyOf(rows.get(0).keySet());
    Schema schema =
        new Schema(names.stream().map(n -> Field.nullable(n, ArrowType.Utf8.INSTANCE)).toList());
    try (BufferAllocator allocator = new RootAllocator();
        VectorSchemaRoot root = VectorSchemaRoot.create(schema, allocator);
        OutputStream out = Files.newOutputStream(file);
        ArrowWriter writer =
            framing == Framing.FILE
                ? new ArrowFileWriter(root, null, Channels.newChannel(out))
                : new ArrowStreamWriter(root, null, out)) {
      writer.start();
      for (int start = 0; start < rows.size(); start += 100) {
        List<Map<String, String>> batch = rows.subList(start, Math.min(rows.size(), start + 100));
        for (FieldVector column : root.getFieldVectors()) {
          fill((VarCharVector) column, batch);
        }
        root.setRowCount(batch.size());
        writer.writeBatch();
      }
      writer.end();
    }
  }

  private static void fill(VarCharVector column, List<Map<String, String>> batch) {
    column.reset();
    for (int i = 0; i < batch.size(); i++) {
      String value = batch.get(i).get(column.getName());
      if (value != null) {
        column.setSafe(i, value.getBytes(StandardCharsets.UTF_8));
      }
    }
    column.setValueCount(batch.size());
  }
}
