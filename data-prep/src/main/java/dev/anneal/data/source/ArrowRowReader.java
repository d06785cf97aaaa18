package dev.anneal.data.source;

import dev.anneal.storage.Storage;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.ipc.ArrowFileReader;
import org.apache.arrow.vector.ipc.ArrowReader;
import org.apache.arrow.vector.ipc.ArrowStreamReader;
import org.apache.arrow.vector.ipc.ReadChannel;
import org.apache.arrow.vector.ipc.message.MessageChannelReader;

/** Rows of an Arrow IPC file or stream, a record batch at a time. */
final class ArrowRowReader extends RowReader {
  private static final long LEAST_MEMORY = 256L << 20;
  private static final long LEAST_ROWS = 1L << 20;

  private final String file;
  private final long mostRows;
  private final BufferAllocator allocator;
  private final ArrowReader reader;
  private final List<String> names = new ArrayList<>();
  private final List<FieldVector> columns = new ArrayList<>();
  private ArrowJson json;
  private long rowsClaimed;
  private int batchRows;
  private int rowOfBatch;
  private long row;

  private ArrowRowReader(
      String file, long mostRows, BufferAllocator allocator, ArrowReader reader) {
    this.file = file;
    this.mostRows = mostRows;
    this.allocator = allocator;
    this.reader = reader;
  }

  static ArrowRowReader of(FileRange range, Storage storage) throws IOException {
    long fileBytes = storage.size(range.file());
    BufferAllocator allocator = new RootAllocator(mostMemory(fileBytes));
    try {
      ArrowReader reader =
          range.form() == FileForm.ARROW_FILE
              ? new ArrowFileReader(storage.openChannel(range.file()), allocator)
              : new ArrowStreamReader(messages(range, fileBytes, storage, allocator), allocator);
      return new ArrowRowReader(range.file(), mostRows(fileBytes), allocator, reader);
    } catch (IOException | RuntimeException e) {
      allocator.close();
      throw e;
    }
  }

  /** Buffers may be compressed, and a batch is decoded beside the one that is read. */
  private static long mostMemory(long fileBytes) {
    return LEAST_MEMORY + 32 * fileBytes;
  }

  /** A row that holds anything takes bits; one that is nothing but null takes none. */
  private static long mostRows(long fileBytes) {
    return LEAST_ROWS + 32 * fileBytes;
  }

  private static MessageChannelReader messages(
      FileRange range, long fileBytes, Storage storage, BufferAllocator allocator)
      throws IOException {
    InputStream in = new BufferedInputStream(storage.open(range.file()), 1 << 20);
    return new MessageChannelReader(new Messages(Channels.newChannel(in), fileBytes), allocator);
  }

  /** Looks at the length of a message before memory for it is asked for. */
  private static final class Messages extends ReadChannel {
    private final long fileBytes;

    Messages(ReadableByteChannel in, long fileBytes) {
      super(in);
      this.fileBytes = fileBytes;
    }

    @Override
    public int readFully(ByteBuffer buffer) throws IOException {
      int read = super.readFully(buffer);
      // a message itself is never as short as its length
      if (read == Integer.BYTES && lengthIn(buffer) > fileBytes) {
        throw new IOException("a message is longer than the file");
      }
      return read;
    }

    private static int lengthIn(ByteBuffer buffer) {
      return buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN).getInt(0);
    }
  }

  @Override
  Row read() {
    row++;
    try {
      if (!hasRow()) {
        return null;
      }
      int current = rowOfBatch++;
      return JsonRows.row(out -> json.write(out, names, columns, current));
    } catch (IOException | RuntimeException e) {
      throw broken(file, "row " + row, damage(e), e);
    }
  }

  @Override
  public long count(long limit) {
    long rows = 0;
    try {
      while (rows < limit && hasRow()) {
        long taken = Math.min(limit - rows, batchRows - rowOfBatch);
        rowOfBatch += (int) taken;
        rows += taken;
      }
      return rows;
    } catch (IOException | RuntimeException e) {
      throw broken(file, "the batch behind row " + rows, damage(e), e);
    }
  }

  private static String damage(Exception e) {
    if (e instanceof OutOfMemoryException && e.getCause() instanceof OutOfMemoryError exhausted) {
      // the process has no more, whatever the file asks for
      throw exhausted;
    }
    return e instanceof OutOfMemoryException
        ? "it asks for more memory than a file of its size can fill"
        : Damage.of(e);
  }

  @Override
  public void close() throws IOException {
    try (allocator) {
      reader.close();
    }
  }

  /** Loads the next batch that has rows where the loaded one has none left. */
  private boolean hasRow() throws IOException {
    while (rowOfBatch == batchRows) {
      if (!reader.loadNextBatch()) {
        return false;
      }
      batchRows = reader.getVectorSchemaRoot().getRowCount();
      rowOfBatch = 0;
      rowsClaimed += batchRows;
      if (batchRows < 0 || rowsClaimed > mostRows) {
        throw new IOException("it says that it has %s rows or more".formatted(rowsClaimed));
      }
      json = new ArrowJson(reader.getDictionaryVectors());
      names.clear();
      columns.clear();
      for (FieldVector column : reader.getVectorSchemaRoot().getFieldVectors()) {
        names.add(column.getField().getName());
        columns.add(column);
      }
    }
    return true;
  }
}
