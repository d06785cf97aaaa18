package dev.anneal.data.arrow;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.DatasetManifest.PartFile;
import dev.anneal.storage.Storage;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.arrow.flatbuf.Block;
import org.apache.arrow.flatbuf.Footer;
import org.apache.arrow.flatbuf.KeyValue;
import org.apache.arrow.flatbuf.Schema;

/**
 * One Arrow file of a data set. It opens when it is first read. Safe for use by several threads.
 */
final class PreparedFile implements AutoCloseable {
  // the length of the footer and "ARROW1"
  private static final int TAIL_BYTES = 10;

  private final String location;
  private final PartFile expected;
  private final Storage storage;
  private FileBytes bytes;
  private Footer footer;
  private int batchRows;

  PreparedFile(String location, PartFile expected, Storage storage) {
    this.location = location;
    this.expected = expected;
    this.storage = storage;
  }

  /** Rows of every record batch but the last. */
  synchronized int batchRows() {
    opened();
    return batchRows;
  }

  /** Whether a batch costs no more than a look at memory. */
  synchronized boolean isMapped() {
    return opened() instanceof FileBytes.Mapped;
  }

  /**
   * Reads a record batch.
   *
   * @throws InvalidDataException if the file is truncated or damaged
   */
  synchronized SequenceBatch batch(int number) {
    FileBytes source = opened();
    try {
      Block block = footer.recordBatches(number);
      int length = Math.toIntExact(block.metaDataLength() + block.bodyLength());
      SequenceBatch batch =
          SequenceBatch.of(source.slice(block.offset(), length), block.metaDataLength());
      long behind = expected.sequences() - (long) number * batchRows;
      if (batch.rows() != Math.min(batchRows, behind)) {
        throw otherCount();
      }
      return batch;
    } catch (InvalidDataException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      throw unreadable(e);
    }
  }

  private InvalidDataException otherCount() {
    return new InvalidDataException(
        "'%s' has not the %s sequences that dataset.json says: prepare the data set again."
            .formatted(location, expected.sequences()));
  }

  /** What keeps a part of the file from being read: its content, or the way to it. */
  InvalidDataException unreadable(Exception cause) {
    if (cause instanceof IOException e && !(e instanceof EOFException)) {
      return new InvalidDataException(Storage.cannotRead(location, e), e);
    }
    return new InvalidDataException(
        "'" + location + "' is damaged (" + cause.getMessage() + "): prepare the data set again.",
        cause);
  }

  /** Closes the file; it opens again if it is read again. */
  @Override
  public synchronized void close() {
    try {
      if (bytes != null) {
        bytes.close();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      bytes = null;
    }
  }

  private FileBytes opened() {
    if (bytes == null) {
      try {
        bytes = FileBytes.open(location, storage);
        checkSize();
        readFooter();
      } catch (IOException e) {
        throw new InvalidDataException(Storage.cannotRead(location, e), e);
      }
    }
    return bytes;
  }

  private void checkSize() throws IOException {
    long size = bytes.size();
    if (size != expected.bytes()) {
      close();
      throw new InvalidDataException(
          "'%s' has %s bytes, but dataset.json says %s: prepare the data set again."
              .formatted(location, size, expected.bytes()));
    }
  }

  private void readFooter() {
    try {
      long end = bytes.size() - TAIL_BYTES;
      int length = bytes.slice(end, TAIL_BYTES).order(ByteOrder.LITTLE_ENDIAN).getInt(0);
      ByteBuffer flat = bytes.slice(end - length, length).order(ByteOrder.LITTLE_ENDIAN);
      footer = Footer.getRootAsFooter(flat);
      batchRows = Integer.parseInt(metadata(footer.schema(), PreparedSchema.BATCH_ROWS));
      if (batchRows < 1) {
        throw new IllegalArgumentException("its batches have " + batchRows + " rows");
      }
      long batches = (expected.sequences() + batchRows - 1) / batchRows;
      if (footer.recordBatchesLength() != batches) {
        close();
        throw otherCount();
      }
    } catch (InvalidDataException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      close();
      throw unreadable(e);
    }
  }

  private static String metadata(Schema schema, String key) {
    for (int i = 0; i < schema.customMetadataLength(); i++) {
      KeyValue entry = schema.customMetadata(i);
      if (key.equals(entry.key())) {
        return entry.value();
      }
    }
    throw new IllegalArgumentException("its schema does not say " + key);
  }
}
