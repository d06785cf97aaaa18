package dev.anneal.spark.tracking.tensorboard;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * TensorFlow's record files: for each record its length in eight bytes, the masked CRC32C of those,
 * its bytes, and their masked CRC32C; numbers with the least byte first ({@code
 * tensorflow/core/lib/io/record_writer.h}).
 */
final class Records {
  private static final int LENGTH_BYTES = 8;
  private static final int CHECKSUM_BYTES = 4;
  private static final int MASK = 0xa282ead8;

  /** Ours have some hundred bytes; whatever has more was not written here. */
  private static final long LONGEST = 1 << 20;

  private Records() {}

  /** A record in its frame. */
  static byte[] framed(byte[] record) {
    byte[] length =
        ByteBuffer.allocate(LENGTH_BYTES)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(record.length)
            .array();
    return ByteBuffer.allocate(LENGTH_BYTES + 2 * CHECKSUM_BYTES + record.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put(length)
        .putInt(masked(length))
        .put(record)
        .putInt(masked(record))
        .array();
  }

  /** The next record; {@code null} at the end, and where the rest is cut off or damaged. */
  static byte[] next(InputStream in) throws IOException {
    DataInputStream data = new DataInputStream(in);
    try {
      byte[] length = new byte[LENGTH_BYTES];
      data.readFully(length);
      int lengthChecksum = Integer.reverseBytes(data.readInt());
      long bytes = ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong();
      if (lengthChecksum != masked(length) || bytes < 0 || bytes > LONGEST) {
        return null;
      }
      byte[] record = new byte[(int) bytes];
      data.readFully(record);
      return Integer.reverseBytes(data.readInt()) == masked(record) ? record : null;
    } catch (EOFException e) {
      return null;
    }
  }

  /** A checksum of bytes that hold checksums would be weak: so it is turned and moved. */
  static int masked(byte[] bytes) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes, 0, bytes.length);
    return Integer.rotateRight((int) checksum.getValue(), 15) + MASK;
  }
}
