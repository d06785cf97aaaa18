package dev.anneal.data.arrow;

import java.util.List;
import java.util.Map;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;
import org.apache.arrow.vector.types.pojo.Schema;

/**
 * The columns of a prepared file, one sequence a row: {@code input_ids}, {@code row_lengths} and
 * {@code target_spans}, each {@code list<int32>}, and {@code row_sources}, {@code list<utf8>},
 * which files of earlier versions do not have. The metadata {@code batch_rows} is the number of
 * rows of every record batch but the last, so that a row is found without reading the file.
 */
final class PreparedSchema {
  static final String INPUT_IDS = "input_ids";
  static final String ROW_LENGTHS = "row_lengths";
  static final String TARGET_SPANS = "target_spans";
  static final String ROW_SOURCES = "row_sources";
  static final String BATCH_ROWS = "batch_rows";

  private static final int MAX_BATCH_TOKENS = 1 << 18;
  private static final int MAX_BATCH_ROWS = 32;

  private PreparedSchema() {}

  static Schema of(int batchRows) {
    return new Schema(
        List.of(
            listOfInts(INPUT_IDS),
            listOfInts(ROW_LENGTHS),
            listOfInts(TARGET_SPANS),
            list(ROW_SOURCES, new ArrowType.Utf8())),
        Map.of(BATCH_ROWS, Integer.toString(batchRows)));
  }

  /**
   * Rows of a batch: few, because a read at random loads a whole one, and so that it holds at most
   * 1 MiB of ids where a sequence is not longer.
   */
  static int batchRows(int maxLength) {
    return Math.max(1, Math.min(MAX_BATCH_ROWS, MAX_BATCH_TOKENS / maxLength));
  }

  private static Field listOfInts(String name) {
    return list(name, new ArrowType.Int(32, true));
  }

  private static Field list(String name, ArrowType type) {
    Field element = new Field("element", FieldType.notNullable(type), null);
    return new Field(name, FieldType.notNullable(new ArrowType.List()), List.of(element));
  }
}
