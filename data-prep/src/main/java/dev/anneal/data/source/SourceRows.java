package dev.anneal.data.source;

import java.io.IOException;
import java.util.Iterator;

/** The rows of a {@link FileSlice}, numbered. */
public final class SourceRows implements Iterator<SourceRow>, AutoCloseable {
  private final FileSlice slice;
  private final RowReader reader;
  private long taken;

  SourceRows(FileSlice slice, RowReader reader) {
    this.slice = slice;
    this.reader = reader;
  }

  @Override
  public boolean hasNext() {
    return taken < slice.rows() && reader.hasNext();
  }

  @Override
  public SourceRow next() {
    RowReader.Row row = reader.next();
    SourceRow numbered =
        new SourceRow(
            slice.firstIndex() + taken,
            slice.range().file(),
            slice.firstRow() + taken,
            row.json(),
            row.fault());
    taken++;
    return numbered;
  }

  /** How many rows {@link #next} gave. */
  public long taken() {
    return taken;
  }

  /** Characters of the rows that {@link #next} gave. */
  public long charactersRead() {
    return reader.charactersRead();
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}
