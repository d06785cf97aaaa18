package dev.anneal.data.prep;

import dev.anneal.data.source.SourceRow;
import org.apache.spark.api.java.JavaRDD;

/**
 * All rows of a source that are wanted, numbered from 0 on without a gap.
 *
 * @param count how many there are
 */
record NumberedRows(JavaRDD<SourceRow> rows, long count) {}
