package dev.anneal.training.trainer;

import dev.anneal.training.tensor.Seeds;

/**
 * Which sequences make up each micro-batch. The order is endless: epoch after epoch, each with an
 * order of its own from the seed if shuffled; a global batch may span two epochs. Micro-batch
 * {@code a * world_size + r} of a global batch belongs to rank {@code r} in accumulation step
 * {@code a}, so that the same global batch gives the same numbers at any world size.
 */
final class BatchOrder {
  private final long size;
  private final int microBatchSize;
  private final int microBatches;
  private final boolean shuffle;
  private final long seed;
  private Permutation order;
  private long orderEpoch = -1;

  /**
   * @param size sequences in the data set
   * @param microBatches micro-batches of a global batch, over all ranks and accumulation steps
   */
  BatchOrder(long size, int microBatchSize, int microBatches, boolean shuffle, long seed) {
    this.size = size;
    this.microBatchSize = microBatchSize;
    this.microBatches = microBatches;
    this.shuffle = shuffle;
    this.seed = seed;
  }

  /**
   * Indices of the sequences of micro-batch {@code microBatch} of optimizer step {@code step}, both
   * counted from 0.
   */
  long[] microBatch(long step, int microBatch) {
    long first = (step * microBatches + microBatch) * microBatchSize;
    long[] indices = new long[microBatchSize];
    for (int i = 0; i < microBatchSize; i++) {
      indices[i] = index(first + i);
    }
    return indices;
  }

  /** Passes over the data set after {@code steps} optimizer steps. */
  double epochs(long steps) {
    return (double) steps * microBatches * microBatchSize / size;
  }

  private long index(long position) {
    long epoch = position / size;
    long within = position % size;
    if (!shuffle) {
      return within;
    }
    if (epoch != orderEpoch) {
      order = new Permutation(size, Seeds.mix(seed, epoch));
      orderEpoch = epoch;
    }
    return order.at(within);
  }
}
