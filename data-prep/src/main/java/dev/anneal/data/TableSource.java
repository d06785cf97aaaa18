package dev.anneal.data;

import dev.anneal.data.source.SourceFiles;
import dev.anneal.data.source.SourceRow;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.apache.hadoop.security.AccessControlException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.SparkSession;

/**
 * A table of Spark's catalogs, {@code table:catalog.schema.name}. A table has no order of its own,
 * and how Spark splits it depends on the cluster; so its rows are ordered by their text as JSON.
 * Rows of the same text are interchangeable.
 */
final class TableSource {
  private TableSource() {}

  static boolean isTable(String source) {
    return source.startsWith(SourceFiles.TABLE_SCHEME);
  }

  static NumberedRows rows(SparkSession spark, PrepSpec spec) {
    String source = spec.rows().source();
    try {
      JavaRDD<String> texts =
          spark.table(source.substring(SourceFiles.TABLE_SCHEME.length())).toJSON().javaRDD();
      JavaRDD<String> ordered =
          texts.sortBy(text -> text, true, Math.max(1, texts.getNumPartitions()));
      long limit = spec.rows().limit() == null ? Long.MAX_VALUE : spec.rows().limit();
      JavaRDD<SourceRow> rows =
          ordered
              .zipWithIndex()
              .filter(row -> row._2() < limit)
              .map(row -> new SourceRow(row._2(), source, row._2() + 1, row._1()));
      return new NumberedRows(rows, Math.min(limit, ordered.count()));
    } catch (Exception e) {
      // Spark throws checked exceptions that it does not declare
      throw new InvalidDataException(sentence(source, e), e);
    }
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
