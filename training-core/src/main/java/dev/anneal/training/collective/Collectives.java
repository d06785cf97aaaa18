package dev.anneal.training.collective;

import dev.anneal.training.timing.Timings;
import org.bytedeco.pytorch.Tensor;

/**
 * What the ranks of a run do together. Every rank makes the same calls in the same order. On host
 * tensors a call returns when its result is there; on GPU tensors it returns at once and its result
 * is there for what the current stream does next.
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

  /**
   * {@link #allGather} into {@code whole}, {@code [world_size * n]}.
   *
   * @param shard {@code [n]}, contiguous
   */
  void allGatherInto(Tensor whole, Tensor shard);

  /**
   * The sum over the ranks of their {@code whole}s, of which rank {@code r} gets the {@code r}-th
   * part.
   *
   * @param shard {@code [n]}, written; may be this rank's part of {@code whole}
   * @param whole {@code [world_size * n]}, contiguous
   */
  void reduceScatterSum(Tensor shard, Tensor whole);

  /**
   * Throws what has ended the group, if anything has. To be asked when the host has waited for a
   * GPU and before it believes what it has read: that is void if the wait was cut short.
   */
  default void check() {}

  /**
   * Does what puts something into the current stream that waits for peers by other means than these
   * calls, such as {@link PeerWaits}. It is watched over as they are.
   *
   * @param name as messages tell it
   */
  default void watched(String name, Runnable work) {
    check();
    work.run();
  }

  /** Takes down how long its calls last; also for what its users do on streams beside them. */
  default Timings timings() {
    return Timings.OFF;
  }

  /** From now on the group ends {@code waits} when it ends, and ends when they do. */
  default void include(PeerWaits waits) {}

  /** Ends {@link #include}. */
  default void exclude(PeerWaits waits) {}

  /**
   * Ends what this rank waits for with an exception, on the host and on its GPU; nothing can be
   * done with the group after. Any thread may call it; it does not wait.
   */
  void abort();

  /** Returns when every rank has called it. */
  void barrier();

  @Override
  void close();
}
