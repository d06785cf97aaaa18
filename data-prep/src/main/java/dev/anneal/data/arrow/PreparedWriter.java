package dev.anneal.data.arrow;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.ipc.ArrowFileWriter;

/** Writes sequences as an Arrow IPC file; the same sequences give the same bytes. */
public final class PreparedWriter implements AutoCloseable {
  private final BufferAllocator allocator = new RootAllocator();
  private final VectorSchemaRoot root;
  private final ArrowFileWriter writer;
  private final int batchRows;
  private int rows;

  /**
   * Starts a file.
   *
   * @param out is left open
   * @param maxLength the longest sequence, which decides the size of record batches
   */
  public PreparedWriter(OutputStream out, int maxLength) throws IOException {
    batchRows = PreparedSchema.batchRows(maxLength);
    root = VectorSchemaRoot.create(PreparedSchema.of(batchRows), allocator);
    writer = new ArrowFileWriter(root, null, Channels.newChannel(out));
    writer.start();
  }

  public void append(PreparedSequence sequence) throws IOException {
    put(PreparedSchema.INPUT_IDS, sequence.inputIds());
    put(PreparedSchema.ROW_LENGTHS, sequence.rowLengths());
    put(PreparedSchema.TARGET_SPANS, sequence.targetSpans());
    put(PreparedSchema.ROW_SOURCES, sequence.rowSources());
    if (++rows == batchRows) {
      writeBatch();
    }
  }

  /** Writes what is left and the footer, without which the file is incomplete. */
  public void finish() throws IOException {
    if (rows > 0) {
      writeBatch();
    }
    writer.end();
  }

  @Override
  public void close() {
    root.close();
    allocator.close();
  }

  private void put(String column, int[] values) {
    ListVector list = (ListVector) root.getVector(column);
    IntVector elements = (IntVector) list.getDataVector();
    int start = list.startNewValue(rows);
    for (int i = 0; i < values.length; i++) {
      elements.setSafe(start + i, values[i]);
    }
    list.endValue(rows, values.length);
  }

  private void put(String column, List<String> values) {
    ListVector list = (ListVector) root.getVector(column);
    VarCharVector elements = (VarCharVector) list.getDataVector();
    int start = list.startNewValue(rows);
    for (int i = 0; i < values.size(); i++) {
      elements.setSafe(start + i, values.get(i).getBytes(StandardCharsets.UTF_8));
    }
    list.endValue(rows, values.size());
  }

  private void writeBatch() throws IOException {
    root.setRowCount(rows);
    writer.writeBatch();
    root.clear();
    rows = 0;
  }
}
