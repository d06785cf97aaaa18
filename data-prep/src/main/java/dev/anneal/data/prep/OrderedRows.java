package dev.anneal.data.prep;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.source.FileRange;
import dev.anneal.data.source.FileSlice;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.data.source.SourceRow;
import dev.anneal.data.source.SourceRows;
import dev.anneal.data.task.TaskResults;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.util.Iterator;
import java.util.function.Consumer;
import org.apache.spark.sql.SparkSession;

/**
 * The rows of a source one after the other on the driver, in the order in which a preparation
 * numbers them; the driver holds no more of them than a part.
 */
public final class OrderedRows {
  private OrderedRows() {}

  /** Whether Spark reads the source: a table of a catalog, or a folder that is a table. */
  public static boolean needSpark(String source, Storage storage) {
    return TableSource.isTable(source, storage);
  }

  /**
   * The rows of files.
   *
   * @param copies folder below which copies from the hub are put
   * @throws InvalidDataException if nothing matches or a file cannot be read
   */
  public static void ofFiles(
      String source, String copies, Storage storage, Consumer<SourceRow> taker) {
    long index = 0;
    for (FileInfo file : SourceFiles.find(source, copies, storage)) {
      long row = 1;
      for (FileRange range : FileRange.of(file, storage)) {
        try (SourceRows rows = new FileSlice(range, index, row, Long.MAX_VALUE).open(storage)) {
          rows.forEachRemaining(taker);
          index += rows.taken();
          row += rows.taken();
        } catch (IOException e) {
          throw new InvalidDataException(Storage.cannotRead(file.uri(), e), e);
        }
      }
    }
  }

  /**
   * The rows of a table, a partition at a time.
   *
   * @throws InvalidDataException if it cannot be read
   */
  public static void ofTable(
      SparkSession spark, String source, Storage storage, Consumer<SourceRow> taker) {
    NumberedRows rows = TableSource.open(spark, source, Long.MAX_VALUE, storage).get();
    // texts, since Spark reads what it carries without our classes
    Iterator<String> texts = TaskResults.texts(rows.rows().map(SourceRow::json));
    for (long index = 0; texts.hasNext(); index++) {
      taker.accept(new SourceRow(index, source, index + 1, texts.next()));
    }
  }
}
