package dev.anneal.data.prep;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.source.LakeTable;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.data.source.SourceRow;
import dev.anneal.storage.Storage;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
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
  /** As in {@code [TABLE_OR_VIEW_NOT_FOUND] The table ...}. */
  private static final Pattern NAME = Pattern.compile("^\\[([A-Z][A-Z0-9_.]+)\\]");

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
    Long limit = spec.rows().limit();
    return open(spark, spec.rows().source(), limit == null ? Long.MAX_VALUE : limit, storage);
  }

  /**
   * Same as above.
   *
   * @param limit the most rows that are wanted
   */
  static Supplier<NumberedRows> open(
      SparkSession spark, String source, long limit, Storage storage) {
    return LakeTable.at(source, storage)
        .map(
            table ->
                open(source, limit, () -> load(spark, table), e -> unreadable(source, table, e)))
        .orElseGet(
            () ->
                open(
                    source,
                    limit,
                    () -> spark.table(source.substring(SourceFiles.TABLE_SCHEME.length())),
                    e -> sentence(source, e)));
  }

  private static Dataset<Row> load(SparkSession spark, LakeTable table) {
    return spark.read().format(table.format()).load(table.folder());
  }

  private static String unreadable(String source, LakeTable table, Exception failure) {
    return "data.source '%s' is a table of %s, which this Spark cannot read (%s): start it with the packages and settings of %s, or write the rows to files of their own, since the table's files hold deleted rows too."
        .formatted(source, table.format(), reason(failure), table.format());
  }

  private static Supplier<NumberedRows> open(
      String source,
      long limit,
      Supplier<Dataset<Row>> table,
      Function<Exception, String> sentence) {
    Dataset<Row> found = saying(sentence, table);
    return () -> saying(sentence, () -> rows(source, limit, found));
  }

  private static <T> T saying(Function<Exception, String> sentence, Supplier<T> read) {
    try {
      return read.get();
    } catch (Exception e) {
      // Spark throws checked exceptions that it does not declare
      throw new InvalidDataException(sentence.apply(e), e);
    }
  }

  private static NumberedRows rows(String source, long limit, Dataset<Row> table) {
    JavaRDD<String> texts = table.toJSON().javaRDD();
    JavaRDD<String> ordered =
        texts.sortBy(text -> text, true, Math.max(1, texts.getNumPartitions()));
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
    return "data.source '"
        + source
        + "' cannot be read ("
        + reason(failure)
        + "): check the name of the table and Spark's catalogs.";
  }

  /** In words of our own, by the name that Spark gives to what failed. */
  private static String reason(Exception failure) {
    String name =
        causes(failure).stream()
            .map(cause -> NAME.matcher(String.valueOf(cause.getMessage())))
            .filter(Matcher::find)
            .map(found -> found.group(1))
            .findFirst()
            .orElse("");
    return switch (name) {
      case "DATA_SOURCE_NOT_FOUND" -> "nothing on its class path knows the format";
      case "TABLE_OR_VIEW_NOT_FOUND" -> "there is no such table";
      case "SCHEMA_NOT_FOUND" -> "there is no such schema";
      case "CATALOG_NOT_FOUND" -> "no such catalog is configured";
      case "PARSE_SYNTAX_ERROR", "INVALID_SQL_SYNTAX", "REQUIRES_SINGLE_PART_NAMESPACE" ->
          "it is not the name of a table";
      case "" -> "it failed on the way";
      default -> name.toLowerCase(Locale.ROOT).replaceFirst("\\..*", "").replace('_', ' ');
    };
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
