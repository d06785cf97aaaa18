package dev.anneal.data.prep;

import dev.anneal.data.source.FileRange;
import dev.anneal.data.source.FileSlice;

/**
 * Goes through the ranges of a source in the order of its files: numbers their rows, over all files
 * and in each, and ends at the limit.
 */
final class SourceScanner {
  private final long limit;
  private long rows;
  private String file;
  private long rowsOfFile;

  SourceScanner(PrepSpec spec) {
    this.limit = spec.rows().limit() == null ? Long.MAX_VALUE : spec.rows().limit();
  }

  /** The rows of the next range, as many as the limit allows. */
  FileSlice next(FileRange range) {
    if (!range.file().equals(file)) {
      file = range.file();
      rowsOfFile = 0;
    }
    return new FileSlice(range, rows, rowsOfFile + 1, limit - rows);
  }

  /** Goes behind the next range, which has so many rows; returns those that the limit allows. */
  FileSlice pass(FileRange range, long count) {
    FileSlice all = next(range);
    long wanted = Math.min(count, all.rows());
    rows += wanted;
    rowsOfFile += wanted;
    return new FileSlice(range, all.firstIndex(), all.firstRow(), wanted);
  }

  /** How many rows it has gone behind. */
  long rows() {
    return rows;
  }

  /** The most rows that are wanted of the source. */
  long limit() {
    return limit;
  }

  boolean limitReached() {
    return rows >= limit;
  }
}
