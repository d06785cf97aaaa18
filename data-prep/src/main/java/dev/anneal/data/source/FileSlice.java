package dev.anneal.data.source;

import dev.anneal.data.io.Storage;
import java.io.Serializable;

/**
 * The rows of a file that are wanted: those from its start.
 *
 * @param file URI of the file
 * @param firstIndex number of its first row over all files
 * @param rows how many rows are wanted
 */
public record FileSlice(String file, long firstIndex, long rows) implements Serializable {

  /** Opens the rows, to be closed after use. */
  public SourceRows open(Storage storage) {
    return new SourceRows(this, RowReader.open(file, storage));
  }
}
