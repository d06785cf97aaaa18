package dev.anneal.spark.output;

import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;

/**
 * The first lines of a long {@code metrics.jsonl} that cannot be appended to: files of a folder
 * beside it that are written once, so that what is written again stays short. Each holds equally
 * many lines, and {@code metrics.jsonl} those behind the last.
 */
final class MetricsSegments {
  private final RunFolder folder;
  private final int lines;

  /** The last line of each. */
  private final Deque<MetricsLine> ends = new ArrayDeque<>();

  /**
   * Of a run.
   *
   * @param lines of one
   */
  MetricsSegments(RunFolder folder, int lines) {
    this.folder = folder;
    this.lines = lines;
  }

  boolean areNone() {
    return ends.isEmpty();
  }

  /** The last line in them; {@code null} without any. */
  MetricsLine end() {
    return ends.peekLast();
  }

  /**
   * Makes further ones, unless few lines would be left.
   *
   * @param behind the lines behind {@link #end}
   * @return those that are left
   */
  List<MetricsLine> close(List<MetricsLine> behind) throws IOException {
    List<MetricsLine> rest = behind;
    while (rest.size() >= 2 * lines) {
      List<MetricsLine> segment = rest.subList(0, lines);
      folder.write(name(ends.size()), out -> MetricsLog.write(segment, out));
      ends.addLast(segment.get(lines - 1));
      rest = rest.subList(lines, rest.size());
    }
    return rest;
  }

  /** Removes those that hold this line, or later ones. */
  void removeFrom(MetricsLine line) throws IOException {
    while (!ends.isEmpty() && line.compareTo(ends.peekLast()) <= 0) {
      folder.delete(name(ends.size() - 1));
      ends.removeLast();
    }
  }

  /** Removes all, those of an earlier run, too. */
  void remove() throws IOException {
    folder.delete(RunFolder.METRICS_SEGMENTS);
    ends.clear();
  }

  /** Name of one in the folder of the run, counted from 0. */
  static String name(int index) {
    return String.format(Locale.ROOT, "%s/%05d.jsonl", RunFolder.METRICS_SEGMENTS, index);
  }
}
