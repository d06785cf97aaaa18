package dev.anneal.spark.generate;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.source.JsonRows;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Lines of a result as rows. */
final class LineFrame {
  private LineFrame() {}

  /**
   * Rows in the order of the lines, with the columns in the order of the first line and those of
   * the answer last; Spark has columns by their names.
   */
  static Dataset<Row> of(SparkSession spark, Dataset<String> lines, String firstLine)
      throws IOException {
    Dataset<Row> rows = spark.read().option("mode", "FAILFAST").json(lines);
    List<String> there = List.of(rows.columns());
    JsonNode first = JsonRows.parse(firstLine);
    Set<String> names = new LinkedHashSet<>();
    first.fieldNames().forEachRemaining(names::add);
    names.addAll(there);
    // null in every row is no column to Spark
    names.retainAll(there);
    Answer.FIELDS.forEach(names::remove);
    names.addAll(Answer.FIELDS);
    List<Column> columns = new ArrayList<>();
    names.forEach(name -> columns.add(rows.col("`" + name.replace("`", "``") + "`")));
    return rows.select(columns.toArray(Column[]::new));
  }
}
