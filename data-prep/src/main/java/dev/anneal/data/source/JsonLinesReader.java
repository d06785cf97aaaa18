package dev.anneal.data.source;

import dev.anneal.storage.Storage;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;

/** Rows of a file with one JSON object a line; blank lines do not count. */
final class JsonLinesReader extends RowReader {
  private final String file;
  private final LineReader lines;

  private JsonLinesReader(String file, LineReader lines) {
    this.file = file;
    this.lines = lines;
  }

  static JsonLinesReader of(FileRange range, Storage storage) throws IOException {
    if (range.start() == 0) {
      BufferedInputStream in =
          SourceStream.skipByteOrderMark(SourceStream.open(range.file(), storage));
      return new JsonLinesReader(range.file(), new LineReader(in, 0, range.end()));
    }
    // the line that holds the byte before the range belongs to the range before
    InputStream in = storage.open(range.file(), range.start() - 1);
    LineReader lines = new LineReader(in, range.start() - 1, range.end());
    try {
      lines.next();
    } catch (IOException e) {
      lines.close();
      throw e;
    }
    return new JsonLinesReader(range.file(), lines);
  }

  @Override
  Row read() {
    if (!nextLine()) {
      return null;
    }
    String text = lines.text();
    if (lines.isCut()) {
      return new Row(text, "the row is longer than 64 MiB");
    }
    return lines.isUtf8(text) ? Row.of(text) : new Row(text, "the row is not UTF-8");
  }

  @Override
  public long count(long limit) {
    long rows = 0;
    while (rows < limit && nextLine()) {
      rows++;
    }
    return rows;
  }

  @Override
  public void close() throws IOException {
    lines.close();
  }

  private boolean nextLine() {
    try {
      while (lines.next()) {
        if (!lines.isBlank()) {
          return true;
        }
      }
      return false;
    } catch (IOException e) {
      throw stopped(file, e);
    }
  }
}
