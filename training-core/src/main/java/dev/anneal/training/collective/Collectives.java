package dev.anneal.training.collective;

import org.bytedeco.pytorch.Tensor;

/**
 * What the ranks of a run do together. Every rank makes the same calls in the same order; a call
 * returns when its result is there.
 *
 * <p>Every method throws {@link CollectiveException} when a peer is lost or does not answer within
 * the timeout.
 */
public interface Collectives extends AutoCloseable {

  int rank();

  int worldSize();

  /** Replaces {@code tensor} by its sum over the ranks. */
  void allReduceSum(Tensor tensor);

  /**
   * The ranks' {@code shard}s end to end in the order of the ranks.
   *
   * @param shard {@code [n]}, contiguous, of the same size on every rank
   * @return {@code [world_size * n]} in the current tensor scope
   */
  Tensor allGather(Tensor shard);

  /** Returns when every rank has called it. */
  void barrier();

  @Override
  void close();
}
