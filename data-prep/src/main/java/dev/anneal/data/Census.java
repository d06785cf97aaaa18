package dev.anneal.data;

import dev.anneal.data.RowPreparer.Bad;
import dev.anneal.data.RowPreparer.Dropped;
import dev.anneal.data.RowPreparer.Kept;
import dev.anneal.data.RowPreparer.Outcome;
import dev.anneal.data.source.SourceRow;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** Counts what became of rows and remembers those that were left out. */
final class Census implements Serializable {
  private static final long serialVersionUID = 1L;

  private long kept;
  private long truncated;
  private final TreeMap<String, Long> bad = new TreeMap<>();
  private final TreeMap<String, Long> dropped = new TreeMap<>();
  private final TreeMap<Integer, Long> lengths = new TreeMap<>();
  private final ArrayList<LeftOut> leftOut = new ArrayList<>();

  /** A row that does not come into the data set. */
  record LeftOut(SourceRow row, String reason) implements Serializable {}

  void count(SourceRow row, Outcome outcome) {
    if (outcome instanceof Kept keptRow) {
      kept++;
      truncated += keptRow.fullLength() > keptRow.row().length() ? 1 : 0;
      lengths.merge(bucket(keptRow.fullLength()), 1L, Long::sum);
    } else if (outcome instanceof Dropped droppedRow) {
      dropped.merge(droppedRow.reason(), 1L, Long::sum);
      lengths.merge(bucket(droppedRow.fullLength()), 1L, Long::sum);
      leftOut.add(new LeftOut(row, droppedRow.reason()));
    } else if (outcome instanceof Bad badRow) {
      bad.merge(badRow.reason(), 1L, Long::sum);
      leftOut.add(new LeftOut(row, badRow.reason()));
    }
  }

  void add(Census other) {
    kept += other.kept;
    truncated += other.truncated;
    other.bad.forEach((reason, count) -> bad.merge(reason, count, Long::sum));
    other.dropped.forEach((reason, count) -> dropped.merge(reason, count, Long::sum));
    other.lengths.forEach((length, count) -> lengths.merge(length, count, Long::sum));
    leftOut.addAll(other.leftOut);
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

  List<LeftOut> leftOut() {
    return leftOut;
  }

  /** The bad row that comes first in the files. */
  LeftOut firstBad() {
    return leftOut.stream()
        .filter(row -> bad.containsKey(row.reason()))
        .min(Comparator.comparingLong(row -> row.row().index()))
        .orElseThrow();
  }

  SortedMap<Integer, Long> lengths() {
    return lengths;
  }

  DatasetManifest.Rows toRows() {
    return new DatasetManifest.Rows(read(), kept, truncated, bad, dropped);
  }

  private static long sum(SortedMap<String, Long> counts) {
    return counts.values().stream().mapToLong(Long::longValue).sum();
  }

  /** The smallest power of two that is not below the length. */
  private static int bucket(int length) {
    return length <= 1 ? 1 : Integer.highestOneBit(length - 1) << 1;
  }
}
