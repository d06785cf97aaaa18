package dev.anneal.data.source;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * Streams the rows of a range of a file, each as the text of a JSON value.
 *
 * <p>A row that cannot be read while those behind it can carries its fault. The iterator throws
 * {@link InvalidDataException} with file and row where the rest of the file is lost, and {@link
 * UncheckedIOException} where the file system fails.
 */
public abstract class RowReader implements Iterator<RowReader.Row>, AutoCloseable {
  private Row next;
  private boolean ended;
  private long charactersRead;

  /**
   * One row.
   *
   * @param json its text; where there is a fault, as much of it as could be read
   * @param fault why the text cannot be taken for a row; null where it can
   */
  public record Row(String json, String fault) {
    static Row of(String json) {
      return new Row(json, null);
    }
  }

  /**
   * Opens a range.
   *
   * @throws InvalidDataException if the file cannot be read
   */
  public static RowReader open(FileRange range, Storage storage) {
    try {
      return switch (range.form()) {
        case JSON_ARRAY -> JsonArrayReader.of(range.file(), storage);
        case JSON_LINES -> JsonLinesReader.of(range, storage);
        case CSV -> CsvReader.of(range.file(), ',', storage);
        case TSV -> CsvReader.of(range.file(), '\t', storage);
        case PARQUET -> ParquetRowReader.of(range, storage);
        case ARROW_FILE, ARROW_STREAM -> ArrowRowReader.of(range, storage);
      };
    } catch (IOException e) {
      throw new InvalidDataException(Storage.cannotRead(range.file(), e), e);
    }
  }

  /** The next row; null behind the last one. */
  abstract Row read();

  /**
   * Counts the rows that are left, but no more than {@code limit}, in the place of reading them.
   */
  public long count(long limit) {
    long rows = 0;
    while (rows < limit && hasNext()) {
      next();
      rows++;
    }
    return rows;
  }

  @Override
  public final boolean hasNext() {
    if (next == null && !ended) {
      next = read();
      ended = next == null;
    }
    return next != null;
  }

  @Override
  public final Row next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    Row row = next;
    next = null;
    charactersRead += row.json().length();
    return row;
  }

  /** Characters of the rows that {@link #next} gave. */
  public final long charactersRead() {
    return charactersRead;
  }

  @Override
  public abstract void close() throws IOException;

  static UncheckedIOException stopped(String file, IOException cause) {
    return new UncheckedIOException(
        "'" + file + "' cannot be read to its end (" + cause.getMessage() + "): run again.", cause);
  }

  static InvalidDataException broken(String file, String place, String what, Throwable cause) {
    return new InvalidDataException(
        "'" + file + "' is broken in " + place + " (" + what + "): correct or remove it.", cause);
  }
}
