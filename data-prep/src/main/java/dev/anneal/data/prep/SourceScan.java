package dev.anneal.data.prep;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.source.FileRange;
import dev.anneal.data.source.FileSlice;
import dev.anneal.data.source.RowReader;
import dev.anneal.data.source.SourceRow;
import dev.anneal.data.source.SourceRows;
import dev.anneal.data.task.TaskFailure;
import dev.anneal.data.task.TaskResults;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.TaskCompletionListener;

/** Counts the rows of every range of every file, and so numbers all rows in file order. */
final class SourceScan {
  private SourceScan() {}

  /** A file's ranges, or the sentence that says why it cannot be read. */
  private record Ranges(List<FileRange> ranges, String fault) implements Serializable {}

  /** A range's rows, or the sentence that says why it cannot be read. */
  private record RowCount(long rows, String fault) implements Serializable {}

  static NumberedRows rows(
      JavaSparkContext sc, PrepSpec spec, List<FileInfo> files, Storage storage) {
    List<FileSlice> slices = slices(sc, spec, files, storage);
    JavaRDD<SourceRow> rows =
        slices.isEmpty()
            ? sc.emptyRDD()
            : sc.parallelize(slices, slices.size())
                .flatMap(slice -> TaskFailure.readable(() -> open(slice, storage)));
    return new NumberedRows(rows, slices.stream().mapToLong(FileSlice::rows).sum());
  }

  private static Iterator<SourceRow> open(FileSlice slice, Storage storage) {
    SourceRows rows = slice.open(storage);
    TaskCompletionListener close =
        context -> {
          try {
            rows.close();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        };
    TaskContext.get().addTaskCompletionListener(close);
    return TaskFailure.readable(rows);
  }

  private static List<FileSlice> slices(
      JavaSparkContext sc, PrepSpec spec, List<FileInfo> files, Storage storage) {
    List<FileRange> ranges = ranges(sc, files, storage);
    SourceScanner scanner = new SourceScanner(spec);
    long limit = scanner.limit();
    List<RowCount> counts =
        TaskResults.collect(
            sc.parallelize(ranges, ranges.size()).map(range -> count(range, limit, storage)));
    List<FileSlice> slices = new ArrayList<>();
    for (int i = 0; i < ranges.size() && !scanner.limitReached(); i++) {
      refuse(counts.get(i).fault());
      slices.add(scanner.pass(ranges.get(i), counts.get(i).rows()));
    }
    return slices;
  }

  private static List<FileRange> ranges(
      JavaSparkContext sc, List<FileInfo> files, Storage storage) {
    List<FileRange> all = new ArrayList<>();
    for (Ranges found :
        TaskResults.collect(
            sc.parallelize(files, files.size()).map(file -> rangesOf(file, storage)))) {
      refuse(found.fault());
      all.addAll(found.ranges());
    }
    return all;
  }

  // A broken file is a result, not a failure: Spark would try the task again in vain.
  private static Ranges rangesOf(FileInfo file, Storage storage) {
    try {
      return new Ranges(FileRange.of(file, storage), null);
    } catch (InvalidDataException e) {
      return new Ranges(List.of(), e.getMessage());
    }
  }

  private static RowCount count(FileRange range, long limit, Storage storage) throws IOException {
    try (RowReader reader = RowReader.open(range, storage)) {
      return new RowCount(reader.count(limit), null);
    } catch (InvalidDataException e) {
      return new RowCount(0, e.getMessage());
    }
  }

  private static void refuse(String fault) {
    if (fault != null) {
      throw new InvalidDataException(fault);
    }
  }
}
