package dev.anneal.data.prep;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.source.LakeTable;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.data.source.SourceRow;
import dev.anneal.storage.Storage;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.hadoop.security.AccessControlException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * A table of Spark's catalogs, {@code table:catalog.schema.name}. A table has no order of its own,
 * and how Spark splits it depends on the cluster; so its rows are ordered by their text as JSON.
 * Rows of the same text are interchangeable.
 */
final class TableSource {
  private TableSource() {}

  /** Whether Spark SQL reads the source: a table of a catalog, or a folder that is a table. */
  static boolean isTable(String source, Storage storage) {
    return isOfCatalog(source) || LakeTable.at(source, storage).isPresent();
  }

  private static boolean isOfCatalog(String source) {
    return source.startsWith(SourceFiles.TABLE_SCHEME);
  }

  /** Finds the table; its rows are read and counted when they are asked for. */
  static Supplier<NumberedRows> open(SparkSession spark, PrepSpec spec, Storage storage) {
    String source = spec.rows().source();
    return LakeTable.at(source, storage)
        .map(table -> open(spec, () -> load(spark, table), e -> unreadable(source, table, e)))
        .orElseGet(
            () ->
                open(
                    spec,
                    () -> spark.table(source.substring(SourceFiles.TABLE_SCHEME.length())),
                    e -> sentence(source, e)));
  }

  private static Dataset<Row> load(SparkSession spark, LakeTable table) {
    return spark.read().format(table.format()).load(table.folder());
  }

  private static String unreadable(String source, LakeTable table, Exception failure) {
    String first = String.valueOf(failure.getMessage()).lines().findFirst().orElse("").strip();
    return "data.source '%s' is a table of %s, which this Spark cannot read (%s): start it with the packages and settings of %s, or write the rows to files of their own, since the table's files hold deleted rows too."
        .formatted(source, table.format(), first, table.format());
  }

  private static Supplier<NumberedRows> open(
      PrepSpec spec, Supplier<Dataset<Row>> table, Function<Exception, String> sentence) {
    Dataset<Row> found = saying(sentence, table);
    return () -> saying(sentence, () -> rows(spec, found));
  }

  private static <T> T saying(Function<Exception, String> sentence, Supplier<T> read) {
    try {
      return read.get();
    } catch (Exception e) {
      // Spark throws checked exceptions that it does not declare
      throw new InvalidDataException(sentence.apply(e), e);
    }
  }

  private static NumberedRows rows(PrepSpec spec, Dataset<Row> table) {
    String source = spec.rows().source();
    JavaRDD<String> texts = table.toJSON().javaRDD();
    JavaRDD<String> ordered =
        texts.sortBy(text -> text, true, Math.max(1, texts.getNumPartitions()));
    long limit = spec.rows().limit() == null ? Long.MAX_VALUE : spec.rows().limit();
    JavaRDD<SourceRow> rows =
        ordered
            .zipWithIndex()
            .filter(row -> row._2() < limit)
            .map(row -> new SourceRow(row._2(), source, row._2() + 1, row._1()));
    return new NumberedRows(rows, Math.min(limit, ordered.count()));
  }

  private static String sentence(String source, Exception failure) {
    List<Throwable> causes = causes(failure);
    if (causes.stream().anyMatch(TableSource::isDenied)) {
      return "No permission to read data.source '" + source + "': grant it or name another table.";
    }
    String first = String.valueOf(failure.getMessage()).lines().findFirst().orElse("").strip();
    return "data.source '"
        + source
        + "' cannot be read ("
        + first
        + "): check the name of the table and Spark's catalogs.";
  }

  private static boolean isDenied(Throwable cause) {
    return cause instanceof AccessControlException
        || cause instanceof SecurityException
        || String.valueOf(cause.getMessage()).contains("ermission denied");
  }

  private static List<Throwable> causes(Throwable failure) {
    return Stream.iterate(failure, Objects::nonNull, Throwable::getCause).limit(50).toList();
  }
}
