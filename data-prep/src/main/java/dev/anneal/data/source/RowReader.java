package dev.anneal.data.source;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.InvalidDataException;
import dev.anneal.data.io.Storage;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * Streams the rows of one file: a JSON array, or JSON lines. The first character that is not blank
 * tells which.
 *
 * <p>The iterator throws {@link InvalidDataException} with file and line where the file is broken,
 * and {@link UncheckedIOException} where the file system fails.
 */
public abstract sealed class RowReader implements Iterator<JsonNode>, AutoCloseable
    permits JsonArrayReader, JsonLinesReader {
  private static final int BYTE_ORDER_MARK = 0xEF;

  private final InputStream in;
  private JsonNode next;
  private boolean ended;

  RowReader(InputStream in) {
    this.in = in;
  }

  /**
   * Opens a file of either form.
   *
   * @throws InvalidDataException if the file cannot be read or holds neither form of JSON
   */
  public static RowReader open(String file, Storage storage) {
    try {
      BufferedInputStream in = new BufferedInputStream(storage.open(file), 1 << 16);
      try {
        return switch (firstCharacter(in)) {
          case '[' -> new JsonArrayReader(file, in);
          case '{', -1 -> new JsonLinesReader(file, in);
          default ->
              throw new InvalidDataException(
                  "'"
                      + file
                      + "' is not JSON in UTF-8 (line 1): it must begin with '[' (a JSON array) or"
                      + " '{' (JSON lines).");
        };
      } catch (IOException | RuntimeException e) {
        in.close();
        throw e;
      }
    } catch (IOException e) {
      throw new InvalidDataException(Storage.cannotRead(file, e), e);
    }
  }

  /** The next row of the file; null behind the last one. */
  abstract JsonNode read();

  @Override
  public final boolean hasNext() {
    if (next == null && !ended) {
      next = read();
      ended = next == null;
    }
    return next != null;
  }

  @Override
  public final JsonNode next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    JsonNode row = next;
    next = null;
    return row;
  }

  /** Bytes of the file that were taken so far, within the size of a buffer. */
  public abstract long bytesRead();

  @Override
  public final void close() throws IOException {
    in.close();
  }

  /** Leaves the stream before the first character, behind the byte order mark if there is one. */
  private static int firstCharacter(BufferedInputStream in) throws IOException {
    in.mark(3);
    if (in.read() == BYTE_ORDER_MARK) {
      in.skipNBytes(2);
    } else {
      in.reset();
    }
    in.mark(1 << 16);
    int c = in.read();
    while (c != -1 && Character.isWhitespace(c)) {
      c = in.read();
    }
    in.reset();
    return c;
  }

  static UncheckedIOException stopped(String file, IOException cause) {
    return new UncheckedIOException(
        "'" + file + "' cannot be read to its end (" + cause.getMessage() + "): run again.", cause);
  }

  static InvalidDataException broken(String file, long line, String what, Exception cause) {
    return new InvalidDataException(
        "'" + file + "' is broken in line " + line + " (" + what + "): correct or remove it.",
        cause);
  }
}
