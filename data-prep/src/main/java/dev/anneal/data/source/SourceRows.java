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
    String json = reader.next().toString();
    SourceRow row = new SourceRow(slice.firstIndex() + taken, slice.file(), taken + 1, json);
    taken++;
    return row;
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}
