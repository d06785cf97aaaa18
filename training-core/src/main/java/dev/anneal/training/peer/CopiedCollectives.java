package dev.anneal.training.peer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.peer.PeerMemory.Location;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * {@code reduce_scatter} and {@code all_gather} of tensors that the ranks read out of each other's
 * memory. Parts come by copy engines, and what waits for a peer is a stream: no kernel holds
 * multiprocessors until the slowest rank is there. Parts are added in the order of the ranks, so
 * the sums are the same bits every time, and with two ranks those of any other way to add them.
 *
 * <p>All calls are made with one stream as the current one, in the same order on every rank. Each
 * wait of a call is for what its peers put into their streams in the same call or before, so ranks
 * cannot wait for each other in a circle, unless streams of two of them share a queue, as those of
 * two threads on one device may.
 */
public final class CopiedCollectives implements AutoCloseable {
  private final Collectives ranks;
  private final PeerMemory memory;
  private final CopyStream copies;

  /** {@code [(world_size - 1) * part]} fp32: the parts of peers, by rank. */
  private final Tensor staged;

  private CopiedCollectives(
      Collectives ranks, PeerMemory memory, CudaStream stream, Tensor staged) {
    this.ranks = ranks;
    this.memory = memory;
    this.copies = memory.on(stream);
    this.staged = staged;
  }

  /**
   * Shares {@code tensors}, in which everything lies that peers are to read: a collective. What it
   * takes is in the current tensor scope.
   *
   * @param arena that they were taken from
   * @param tensors as many and as large on every rank
   * @param stream that calls are made on
   * @param part elements of the largest part that is summed
   * @throws NoPeerAccessException on all ranks alike, if they cannot read each other's memory
   */
  public static CopiedCollectives share(
      Collectives ranks, PeerArena arena, List<Tensor> tensors, CudaStream stream, long part)
      throws NoPeerAccessException {
    PeerMemory memory = PeerMemory.share(ranks, arena, tensors);
    try {
      long bytes = stagedBytes(ranks.worldSize(), part);
      Tensor staged = Tensors.empty(arena.device(), ScalarType.Float, bytes / Float.BYTES);
      return new CopiedCollectives(ranks, memory, stream, staged);
    } catch (RuntimeException | Error e) {
      // or its peers would wait for its end
      memory.close();
      throw e;
    }
  }

  /**
   * What {@link #reduceScatterSum} takes of the device beside what is shared, in bytes.
   *
   * @param part as {@link #share} is given it
   */
  public static long stagedBytes(int worldSize, long part) {
    return (worldSize - 1L) * part * Float.BYTES;
  }

  /**
   * {@link Collectives#reduceScatterSum} of fp32.
   *
   * @param shard {@code [n]}, written; may be this rank's part of {@code whole}
   * @param whole {@code [world_size * n]} within one of the shared tensors, at the same place on
   *     every rank
   */
  public void reduceScatterSum(Tensor shard, Tensor whole) {
    long partBytes = staged.nbytes() / (size() - 1);
    if (shard.nbytes() > partBytes) {
      throw new IllegalArgumentException(
          "a part of %s bytes is larger than %s".formatted(shard.nbytes(), partBytes));
    }
    ranks.watched("reduce_scatter", () -> sum(shard, whole));
  }

  private void sum(Tensor shard, Tensor whole) {
    long bytes = shard.nbytes();
    Location mine = memory.location(whole);
    long offset = mine.offset() + rank() * bytes;
    long to = staged.data_ptr().address();
    int number = begin();
    for (int i = 0; i < size() - 1; i++) {
      int peer = memory.inRing(i);
      copies.await(memory.ready(peer), number);
      long from = memory.address(peer, mine.tensor()) + offset;
      copies.copy(to + slot(peer) * bytes, from, bytes);
    }
    copies.write(memory.pulled(rank()), number);
    try (TensorScope scope = new TensorScope()) {
      add(shard, whole);
    }
    awaitPeers(number);
  }

  /** In the order of the ranks; {@code shard} may be one of the addends and is written last. */
  private void add(Tensor shard, Tensor whole) {
    Tensor sum = part(0, shard, whole);
    // the first that is not this rank's own
    Tensor scratch = part(rank() == 0 ? 1 : 0, shard, whole);
    for (int rank = 1; rank < size(); rank++) {
      Tensor to = rank == size() - 1 ? shard : scratch;
      torch.add_out(to, sum, part(rank, shard, whole));
      sum = to;
    }
  }

  /** What is added of {@code rank}. */
  private Tensor part(int rank, Tensor shard, Tensor whole) {
    long n = shard.numel();
    return rank == rank() ? whole.narrow(0, rank * n, n) : staged.narrow(0, slot(rank) * n, n);
  }

  private long slot(int peer) {
    return peer < rank() ? peer : peer - 1L;
  }

  /**
   * {@link Collectives#allGatherInto} of any dtype.
   *
   * @param whole {@code [world_size * n]}
   * @param shard {@code [n]} within one of the shared tensors, at the same place on every rank
   */
  public void allGatherInto(Tensor whole, Tensor shard) {
    ranks.watched("all_gather", () -> gather(whole, shard));
  }

  private void gather(Tensor whole, Tensor shard) {
    long bytes = shard.nbytes();
    long to = whole.data_ptr().address();
    Location mine = memory.location(shard);
    int number = begin();
    for (int i = 0; i < size(); i++) {
      int rank = memory.inRing(i);
      if (rank != rank()) {
        copies.await(memory.ready(rank), number);
      }
      long from = memory.address(rank, mine.tensor()) + mine.offset();
      copies.copy(to + rank * bytes, from, bytes);
    }
    copies.write(memory.pulled(rank()), number);
    awaitPeers(number);
  }

  /** The number of a call, for which this rank has what its peers read. */
  private int begin() {
    int number = memory.next();
    copies.write(memory.ready(rank()), number);
    return number;
  }

  /** What comes next may write what peers have read in a call. */
  private void awaitPeers(int number) {
    for (int i = 0; i < size() - 1; i++) {
      copies.await(memory.pulled(memory.inRing(i)), number);
    }
  }

  private int rank() {
    return memory.rank();
  }

  private int size() {
    return memory.size();
  }

  /** As {@link PeerMemory#close}: before what is shared is freed. */
  @Override
  public void close() {
    memory.close();
  }
}
