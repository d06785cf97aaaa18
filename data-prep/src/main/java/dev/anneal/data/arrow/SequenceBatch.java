package dev.anneal.data.arrow;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.RecordBatch;

/**
 * The sequences of one record batch, read from its bytes where they lie. Safe for use by several
 * threads.
 */
final class SequenceBatch {
  // the buffers of a list column: validity and offsets, then validity and values of the elements
  private static final int BUFFERS_PER_COLUMN = 4;
  private static final int OFFSETS = 1;
  private static final int VALUES = 3;
  // behind three columns of integers: as above, with offsets of the texts before their bytes
  private static final int SOURCE_OFFSETS = 13;
  private static final int TEXT_OFFSETS = 15;
  private static final int TEXT_BYTES = 16;

  private final int rows;
  private final List<Column> columns;

  /** {@code null} in files of earlier versions. */
  private final Texts sources;

  private SequenceBatch(int rows, List<Column> columns, Texts sources) {
    this.rows = rows;
    this.columns = columns;
    this.sources = sources;
  }

  /** A column of lists of 32-bit integers. */
  private record Column(ByteBuffer offsets, ByteBuffer values) {
    int length(int row) {
      return offsets.getInt((row + 1) * Integer.BYTES) - offsets.getInt(row * Integer.BYTES);
    }

    int[] list(int row) {
      int start = offsets.getInt(row * Integer.BYTES);
      int end = offsets.getInt((row + 1) * Integer.BYTES);
      requireInside(start, end, values.limit() / Integer.BYTES);
      int[] list = new int[end - start];
      for (int i = 0; i < list.length; i++) {
        list[i] = values.getInt((start + i) * Integer.BYTES);
      }
      return list;
    }
  }

  /** A column of lists of texts. */
  private record Texts(ByteBuffer offsets, ByteBuffer textOffsets, ByteBuffer bytes) {
    List<String> list(int row) {
      int start = offsets.getInt(row * Integer.BYTES);
      int end = offsets.getInt((row + 1) * Integer.BYTES);
      requireInside(start, end, Math.max(0, textOffsets.limit() / Integer.BYTES - 1));
      List<String> list = new ArrayList<>(end - start);
      for (int i = start; i < end; i++) {
        int from = textOffsets.getInt(i * Integer.BYTES);
        int to = textOffsets.getInt((i + 1) * Integer.BYTES);
        requireInside(from, to, bytes.limit());
        byte[] text = new byte[to - from];
        bytes.get(from, text);
        list.add(new String(text, StandardCharsets.UTF_8));
      }
      return list;
    }
  }

  private static void requireInside(int start, int end, int limit) {
    if (start < 0 || end < start || end > limit) {
      throw new IllegalArgumentException("a list lies outside of its column");
    }
  }

  /**
   * Finds the columns in a block of an Arrow file.
   *
   * @param block message and body of the record batch
   * @param messageBytes length of the message, which stands first
   */
  static SequenceBatch of(ByteBuffer block, int messageBytes) {
    RecordBatch batch = header(block);
    ByteBuffer body = block.slice(messageBytes, block.limit() - messageBytes);
    return new SequenceBatch(
        Math.toIntExact(batch.length()),
        List.of(column(batch, body, 0), column(batch, body, 1), column(batch, body, 2)),
        batch.buffersLength() > TEXT_BYTES ? texts(batch, body) : null);
  }

  int rows() {
    return rows;
  }

  PreparedSequence read(int row) {
    return new PreparedSequence(
        columns.get(0).list(row),
        columns.get(1).list(row),
        columns.get(2).list(row),
        sourcesOf(row));
  }

  private List<String> sourcesOf(int row) {
    List<String> found = sources == null ? List.of() : sources.list(row);
    int rowsOfSequence = columns.get(1).length(row);
    if (!found.isEmpty() && found.size() != rowsOfSequence) {
      throw new IllegalArgumentException(
          "a sequence of %s rows has %s sources".formatted(rowsOfSequence, found.size()));
    }
    return found;
  }

  private static RecordBatch header(ByteBuffer block) {
    // four bytes that say "continue" and four with the length of what follows
    ByteBuffer flat = block.slice(8, block.limit() - 8).order(ByteOrder.LITTLE_ENDIAN);
    Message message = Message.getRootAsMessage(flat);
    if (message.headerType() != MessageHeader.RecordBatch) {
      throw new IllegalArgumentException("a record batch is missing");
    }
    return (RecordBatch) message.header(new RecordBatch());
  }

  private static Column column(RecordBatch batch, ByteBuffer body, int number) {
    int first = number * BUFFERS_PER_COLUMN;
    return new Column(
        buffer(batch.buffers(first + OFFSETS), body), buffer(batch.buffers(first + VALUES), body));
  }

  private static Texts texts(RecordBatch batch, ByteBuffer body) {
    return new Texts(
        buffer(batch.buffers(SOURCE_OFFSETS), body),
        buffer(batch.buffers(TEXT_OFFSETS), body),
        buffer(batch.buffers(TEXT_BYTES), body));
  }

  private static ByteBuffer buffer(Buffer place, ByteBuffer body) {
    return body.slice(Math.toIntExact(place.offset()), Math.toIntExact(place.length()))
        .order(ByteOrder.LITTLE_ENDIAN);
  }
}
