package dev.anneal.data.source;

import dev.anneal.storage.Storage;
import java.io.Serializable;

/**
 * The rows of a range of a file that are wanted: those from its start.
 *
 * @param firstIndex number of its first row over all files, from 0
 * @param firstRow number of its first row in the file, from 1
 * @param rows how many rows are wanted
 */
public record FileSlice(FileRange range, long firstIndex, long firstRow, long rows)
    implements Serializable {

  /** Opens the rows, to be closed after use. */
  public SourceRows open(Storage storage) {
    return new SourceRows(this, RowReader.open(range, storage));
  }
}
