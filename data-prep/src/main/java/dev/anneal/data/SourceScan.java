package dev.anneal.data;

import dev.anneal.data.io.Storage;
import dev.anneal.data.io.Storage.FileInfo;
import dev.anneal.data.source.FileSlice;
import dev.anneal.data.source.RowReader;
import dev.anneal.data.source.SourceFiles;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;

/** Counts the rows of every file, one task a file, and so numbers all rows in file order. */
final class SourceScan {
  private SourceScan() {}

  /** A file's rows, or the sentence that says why it cannot be read. */
  private record FileCount(long rows, String fault) implements Serializable {}

  static List<FileSlice> slices(JavaSparkContext sc, PrepSpec spec, Storage storage) {
    List<String> files =
        SourceFiles.find(spec.source(), storage).stream().map(FileInfo::uri).toList();
    long limit = spec.limit() == null ? Long.MAX_VALUE : spec.limit();
    List<FileCount> counts =
        sc.parallelize(new ArrayList<>(files), files.size())
            .map(file -> count(file, limit, storage))
            .collect();
    List<FileSlice> slices = new ArrayList<>();
    long firstIndex = 0;
    for (int i = 0; i < files.size() && firstIndex < limit; i++) {
      if (counts.get(i).fault() != null) {
        throw new InvalidDataException(counts.get(i).fault());
      }
      long rows = Math.min(counts.get(i).rows(), limit - firstIndex);
      slices.add(new FileSlice(files.get(i), firstIndex, rows));
      firstIndex += rows;
    }
    return slices;
  }

  // A broken file is a result, not a failure: Spark would try the task again in vain.
  private static FileCount count(String file, long limit, Storage storage) throws IOException {
    try (RowReader reader = RowReader.open(file, storage)) {
      long rows = 0;
      while (rows < limit && reader.hasNext()) {
        reader.next();
        rows++;
      }
      return new FileCount(rows, null);
    } catch (InvalidDataException e) {
      return new FileCount(0, e.getMessage());
    }
  }
}
