package dev.anneal.data;

import dev.anneal.data.RowPreparer.Bad;
import dev.anneal.data.RowPreparer.Dropped;
import dev.anneal.data.RowPreparer.Kept;
import dev.anneal.data.RowPreparer.Outcome;
import dev.anneal.data.source.SourceRow;
import java.io.Serializable;
import java.util.Collection;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Counts what became of rows and remembers some of those that were left out: as many of one task,
 * and as much of their text, as the driver can hold from all tasks.
 */
final class Census implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final int MAX_TEXT = 8192;

  private final int maxLeftOut;
  private long kept;
  private long truncated;
  private final TreeMap<String, Long> bad = new TreeMap<>();
  private final TreeMap<String, Long> dropped = new TreeMap<>();
  private final TreeMap<Integer, Long> lengths = new TreeMap<>();
  private final TreeMap<Long, LeftOut> leftOut = new TreeMap<>();
  private LeftOut firstBad;

  /** A row that does not come into the data set. */
  record LeftOut(SourceRow row, String reason) implements Serializable {}

  /**
   * Begins to count.
   *
   * @param maxLeftOut how many rows left out {@link #count} remembers: those that come first in the
   *     files
   */
  Census(int maxLeftOut) {
    this.maxLeftOut = maxLeftOut;
  }

  void count(SourceRow row, Outcome outcome) {
    if (outcome instanceof Kept keptRow) {
      kept++;
      truncated += keptRow.fullLength() > keptRow.row().length() ? 1 : 0;
      lengths.merge(bucket(keptRow.fullLength()), 1L, Long::sum);
    } else if (outcome instanceof Dropped droppedRow) {
      dropped.merge(droppedRow.reason(), 1L, Long::sum);
      lengths.merge(bucket(droppedRow.fullLength()), 1L, Long::sum);
      remember(new LeftOut(shortened(row), droppedRow.reason()));
    } else if (outcome instanceof Bad badRow) {
      bad.merge(badRow.reason(), 1L, Long::sum);
      LeftOut badOne = new LeftOut(shortened(row), badRow.reason());
      firstBad = earlier(firstBad, badOne);
      remember(badOne);
    }
  }

  /** Takes in what another task counted, with all rows that it remembers. */
  void add(Census other) {
    kept += other.kept;
    truncated += other.truncated;
    other.bad.forEach((reason, count) -> bad.merge(reason, count, Long::sum));
    other.dropped.forEach((reason, count) -> dropped.merge(reason, count, Long::sum));
    other.lengths.forEach((length, count) -> lengths.merge(length, count, Long::sum));
    leftOut.putAll(other.leftOut);
    firstBad = earlier(firstBad, other.firstBad);
  }

  long read() {
    return kept + badRows() + sum(dropped);
  }

  long kept() {
    return kept;
  }

  long badRows() {
    return sum(bad);
  }

  /** The rows left out that are remembered, as they come in the files. */
  Collection<LeftOut> leftOut() {
    return leftOut.values();
  }

  /** How many rows were left out beyond the remembered ones, by reason. */
  SortedMap<String, Long> forgotten() {
    SortedMap<String, Long> left = new TreeMap<>(bad);
    dropped.forEach((reason, count) -> left.merge(reason, count, Long::sum));
    leftOut.values().forEach(row -> left.merge(row.reason(), -1L, Long::sum));
    left.values().removeIf(count -> count == 0);
    return left;
  }

  /** The bad row that comes first in the files. */
  LeftOut firstBad() {
    return firstBad;
  }

  SortedMap<Integer, Long> lengths() {
    return lengths;
  }

  DatasetManifest.Rows toRows() {
    return new DatasetManifest.Rows(read(), kept, truncated, bad, dropped);
  }

  private void remember(LeftOut row) {
    leftOut.put(row.row().index(), row);
    if (leftOut.size() > maxLeftOut) {
      leftOut.pollLastEntry();
    }
  }

  private static LeftOut earlier(LeftOut one, LeftOut other) {
    if (one == null || other == null) {
      return one == null ? other : one;
    }
    return one.row().index() <= other.row().index() ? one : other;
  }

  private static SourceRow shortened(SourceRow row) {
    return row.json().length() <= MAX_TEXT
        ? row
        : new SourceRow(row.index(), row.file(), row.row(), row.json().substring(0, MAX_TEXT));
  }

  private static long sum(SortedMap<String, Long> counts) {
    return counts.values().stream().mapToLong(Long::longValue).sum();
  }

  /** The smallest power of two that is not below the length. */
  private static int bucket(int length) {
    return length <= 1 ? 1 : Integer.highestOneBit(length - 1) << 1;
  }
}
