package dev.anneal.data.prep;

import dev.anneal.data.format.TokenizedRow;
import java.io.Serializable;
import java.util.List;

/**
 * The rows kept from training: a stretch at the beginning or the end of the order.
 *
 * @param rows in their order
 * @param firstKey smallest key of the stretch
 * @param lastKey largest key of the stretch
 */
record HeldOut(List<Row> rows, long firstKey, long lastKey) {

  /** A row with its place in the order. */
  record Row(long key, TokenizedRow row) implements Serializable {}

  static HeldOut of(List<Row> rows) {
    return rows.isEmpty()
        ? new HeldOut(rows, Long.MAX_VALUE, Long.MIN_VALUE)
        : new HeldOut(rows, rows.get(0).key(), rows.get(rows.size() - 1).key());
  }
}
