package dev.anneal.data.prep;

import org.apache.spark.Partitioner;

/**
 * The order of rows over all partitions. A row's key follows from its index, its partition from its
 * key; both depend on the number of rows and the seed alone, never on the cluster.
 */
final class RowOrder extends Partitioner {
  private static final long serialVersionUID = 1L;
  private static final long ROWS_PER_PARTITION = 4096;
  // beyond 33 million rows partitions grow instead, so that the driver never holds more than this
  private static final long MAX_PARTITIONS = 8192;

  private final boolean shuffle;
  private final long seed;
  private final long rows;
  private final int partitions;

  RowOrder(boolean shuffle, long seed, long rows) {
    this.shuffle = shuffle;
    this.seed = seed;
    this.rows = rows;
    long needed = (rows + ROWS_PER_PARTITION - 1) / ROWS_PER_PARTITION;
    this.partitions = (int) Math.min(MAX_PARTITIONS, Math.max(Math.min(2, rows), needed));
  }

  /** Place of the row in the order: rows with smaller keys come first; no two rows share one. */
  long key(long index) {
    return shuffle ? mix64(index + mix64(seed)) : index;
  }

  @Override
  public int numPartitions() {
    return partitions;
  }

  @Override
  public int getPartition(Object key) {
    long k = (Long) key;
    // the upper 31 bits of a shuffled key, counted from the smallest, are uniform
    return shuffle
        ? (int) ((((k ^ Long.MIN_VALUE) >>> 33) * partitions) >>> 31)
        : (int) (k * partitions / rows);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RowOrder order
        && shuffle == order.shuffle
        && seed == order.seed
        && rows == order.rows;
  }

  @Override
  public int hashCode() {
    return Long.hashCode(seed) ^ Long.hashCode(rows);
  }

  // The finalizer of SplitMix64, which maps no two values to one.
  private static long mix64(long z) {
    z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
    z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
    return z ^ (z >>> 31);
  }
}
