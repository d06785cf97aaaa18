package dev.anneal.data.arrow;

import dev.anneal.data.DatasetManifest.PartFile;
import dev.anneal.data.InvalidDataException;
import dev.anneal.data.io.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.SeekableByteChannel;
import java.util.List;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.ipc.ArrowFileReader;
import org.apache.arrow.vector.ipc.message.ArrowBlock;
import org.apache.arrow.vector.types.pojo.Schema;

/** One Arrow file of a data set with the record batch that was read last. */
final class PreparedFile implements AutoCloseable {
  private final String location;
  private final BufferAllocator allocator = new RootAllocator();
  private final ArrowFileReader reader;
  private List<ArrowBlock> blocks;
  private int batchRows;
  private int loaded = -1;

  private PreparedFile(String location, SeekableByteChannel channel) {
    this.location = location;
    this.reader = new ArrowFileReader(channel, allocator);
  }

  static PreparedFile open(String location, PartFile expected, Storage storage) {
    try {
      SeekableByteChannel channel = storage.openChannel(location);
      long bytes = channel.size();
      if (bytes != expected.bytes()) {
        channel.close();
        throw new InvalidDataException(
            "'%s' has %d bytes, but dataset.json says %d: prepare the data set again."
                .formatted(location, bytes, expected.bytes()));
      }
      PreparedFile file = new PreparedFile(location, channel);
      try {
        file.readFooter();
        return file;
      } catch (RuntimeException e) {
        file.close();
        throw e;
      }
    } catch (IOException e) {
      throw new InvalidDataException(Storage.cannotRead(location, e), e);
    }
  }

  PreparedSequence read(long row) {
    int batch = (int) (row / batchRows);
    try {
      if (batch != loaded) {
        loaded = -1;
        reader.loadRecordBatch(blocks.get(batch));
        loaded = batch;
      }
      VectorSchemaRoot root = reader.getVectorSchemaRoot();
      int i = (int) (row % batchRows);
      return new PreparedSequence(
          values(root, PreparedSchema.INPUT_IDS, i),
          values(root, PreparedSchema.ROW_LENGTHS, i),
          values(root, PreparedSchema.TARGET_SPANS, i));
    } catch (IOException | RuntimeException e) {
      throw damaged(e);
    }
  }

  @Override
  public void close() {
    try {
      reader.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      allocator.close();
    }
  }

  private void readFooter() {
    try {
      blocks = reader.getRecordBlocks();
      Schema schema = reader.getVectorSchemaRoot().getSchema();
      batchRows = Integer.parseInt(schema.getCustomMetadata().get(PreparedSchema.BATCH_ROWS));
    } catch (IOException | RuntimeException e) {
      throw damaged(e);
    }
  }

  private InvalidDataException damaged(Exception cause) {
    return new InvalidDataException(
        "'" + location + "' is damaged (" + cause.getMessage() + "): prepare the data set again.",
        cause);
  }

  private static int[] values(VectorSchemaRoot root, String column, int row) {
    ListVector list = (ListVector) root.getVector(column);
    IntVector elements = (IntVector) list.getDataVector();
    int start = list.getElementStartIndex(row);
    int[] values = new int[list.getElementEndIndex(row) - start];
    for (int i = 0; i < values.length; i++) {
      values[i] = elements.get(start + i);
    }
    return values;
  }
}
