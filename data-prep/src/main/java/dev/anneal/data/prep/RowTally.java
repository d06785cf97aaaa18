package dev.anneal.data.prep;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.prep.RowPreparer.Bad;
import dev.anneal.data.prep.RowPreparer.Dropped;
import dev.anneal.data.prep.RowPreparer.Kept;
import dev.anneal.data.prep.RowPreparer.Outcome;
import dev.anneal.data.source.SourceRow;
import java.io.Serializable;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/** Counts what became of rows and remembers the first one that cannot be used. */
final class RowTally implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final int MAX_TEXT = 8192;
  private static final int MAX_REASONS = 100;
  private static final String OTHER_REASONS = "other reasons";

  private long kept;
  private long truncated;
  private long split;
  private final TreeMap<String, Long> bad = new TreeMap<>();
  private final TreeMap<String, Long> dropped = new TreeMap<>();
  private final TreeMap<Integer, Long> lengths = new TreeMap<>();
  private final TreeSet<String> unreadFields = new TreeSet<>();
  private final TreeSet<String> mappedColumns = new TreeSet<>();
  private LeftOut firstBad;

  /** A row that does not come into the data set. */
  record LeftOut(SourceRow row, String reason) implements Serializable {}

  /** Counts a row; returns it with the reason where it is left out, else null. */
  LeftOut count(SourceRow row, Outcome outcome) {
    if (outcome instanceof Kept keptRow) {
      kept++;
      truncated += keptRow.fate() == Kept.Fate.TRUNCATED ? 1 : 0;
      split += keptRow.fate() == Kept.Fate.SPLIT ? 1 : 0;
      lengths.merge(bucket(keptRow.fullLength()), 1L, Long::sum);
      addUnread(keptRow.fields().unread());
      mappedColumns.addAll(keptRow.fields().mapped());
    } else if (outcome instanceof Dropped droppedRow) {
      add(dropped, droppedRow.reason(), 1);
      lengths.merge(bucket(droppedRow.fullLength()), 1L, Long::sum);
      return new LeftOut(shortened(row), droppedRow.reason());
    } else if (outcome instanceof Bad badRow) {
      add(bad, badRow.reason(), 1);
      LeftOut badOne = new LeftOut(shortened(row), badRow.reason());
      firstBad = earlier(firstBad, badOne);
      return badOne;
    }
    return null;
  }

  /** Takes in what another task counted. */
  void add(RowTally other) {
    kept += other.kept;
    truncated += other.truncated;
    split += other.split;
    other.bad.forEach((reason, count) -> add(bad, reason, count));
    other.dropped.forEach((reason, count) -> add(dropped, reason, count));
    other.lengths.forEach((length, count) -> lengths.merge(length, count, Long::sum));
    firstBad = earlier(firstBad, other.firstBad);
    addUnread(other.unreadFields);
    mappedColumns.addAll(other.mappedColumns);
  }

  /** Names of fields that rows have and nothing reads, not more than some. */
  SortedSet<String> unreadFields() {
    return unreadFields;
  }

  /** Columns of the mapping that rows have. */
  SortedSet<String> mappedColumns() {
    return mappedColumns;
  }

  private void addUnread(Set<String> names) {
    for (String name : names) {
      if (unreadFields.size() < MAX_REASONS) {
        unreadFields.add(name);
      }
    }
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

  /** The bad row that comes first in the files. */
  LeftOut firstBad() {
    return firstBad;
  }

  SortedMap<Integer, Long> lengths() {
    return lengths;
  }

  DatasetManifest.Rows toRows() {
    return new DatasetManifest.Rows(read(), kept, truncated, split, bad, dropped);
  }

  // A template may put a row's own words into its refusal.
  private static void add(SortedMap<String, Long> counts, String reason, long count) {
    boolean known = counts.containsKey(reason) || counts.size() < MAX_REASONS;
    counts.merge(known ? reason : OTHER_REASONS, count, Long::sum);
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
        : new SourceRow(
            row.index(), row.file(), row.row(), row.json().substring(0, MAX_TEXT), row.fault());
  }

  private static long sum(SortedMap<String, Long> counts) {
    return counts.values().stream().mapToLong(Long::longValue).sum();
  }

  /** The smallest power of two that is not below the length. */
  private static int bucket(int length) {
    return length <= 1 ? 1 : Integer.highestOneBit(length - 1) << 1;
  }
}
