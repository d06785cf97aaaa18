package dev.anneal.data.source;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.LfsPointer;
import dev.anneal.storage.Storage;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;

/** The bytes of a source file from its start, unpacked where they are packed. */
final class SourceStream {
  private static final int BUFFER_BYTES = 1 << 16;
  private static final int[] BYTE_ORDER_MARK = {0xEF, 0xBB, 0xBF};

  private SourceStream() {}

  static BufferedInputStream open(String file, Storage storage) throws IOException {
    InputStream raw = storage.open(file);
    try {
      BufferedInputStream in = new BufferedInputStream(raw, BUFFER_BYTES);
      if (LfsPointer.is(in)) {
        throw new InvalidDataException(LfsPointer.sentence(file));
      }
      return Packing.unpacked(file, in, storage);
    } catch (IOException | RuntimeException e) {
      raw.close();
      throw e;
    }
  }

  /** Leaves the stream behind the byte order mark if there is one. */
  static BufferedInputStream skipByteOrderMark(BufferedInputStream in) throws IOException {
    in.mark(BYTE_ORDER_MARK.length);
    for (int expected : BYTE_ORDER_MARK) {
      if (in.read() != expected) {
        in.reset();
        break;
      }
    }
    return in;
  }

  /** The first character that is not blank; -1 where there is none within the buffer. */
  static int firstCharacter(BufferedInputStream in) throws IOException {
    skipByteOrderMark(in);
    in.mark(BUFFER_BYTES);
    int c = in.read();
    for (int i = 1; i < BUFFER_BYTES && c != -1 && Character.isWhitespace(c); i++) {
      c = in.read();
    }
    in.reset();
    return c;
  }
}
