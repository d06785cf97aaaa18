package dev.anneal.data.source;

import java.io.Serializable;

/**
 * A row as it stands in its source.
 *
 * @param index number of the row over all files, from 0
 * @param file URI of the file, or the table
 * @param row number of the row in its file, from 1
 * @param json the row's text; where there is a fault, as much of it as could be read
 * @param fault why the text cannot be taken for a row; null where it can
 */
public record SourceRow(long index, String file, long row, String json, String fault)
    implements Serializable {

  public SourceRow(long index, String file, long row, String json) {
    this(index, file, row, json, null);
  }
}
