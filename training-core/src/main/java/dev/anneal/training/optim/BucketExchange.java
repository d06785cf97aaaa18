package dev.anneal.training.optim;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.peer.CopiedCollectives;
import dev.anneal.training.peer.NoPeerAccessException;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * What the ranks exchange of buckets, one after the other: at once on the host, on a GPU beside the
 * computation; by the group's collectives, or by copies once ranks {@link #useCopies read each
 * other's memory}.
 */
final class BucketExchange implements AutoCloseable {
  private final Collectives world;
  private final PeerArena arena;
  private final CudaStream stream;
  private final CudaEvent written;

  /** All that peers may read. */
  private final List<Tensor> shared = new ArrayList<>();

  /** {@code null} while the group exchanges. */
  private CopiedCollectives copies;

  /**
   * @param arena where {@link #shared} memory lies; closed with this
   */
  BucketExchange(Collectives world, PeerArena arena) {
    this.world = world;
    this.arena = arena;
    stream = CudaStream.of(arena.device());
    written = new CudaEvent(arena.device());
  }

  /**
   * Memory for what is exchanged: wholes that are summed, shards that are gathered. Not
   * initialized, in the current tensor scope.
   *
   * @return {@code [numel]}
   */
  Tensor shared(DType type, long numel) {
    Tensor bytes = arena.take(1, numel * type.bytes()).get(0);
    shared.add(bytes);
    return bytes.view(type.scalarType());
  }

  /**
   * From now on ranks read each other's memory, and no more of it is taken: a collective.
   *
   * @param part elements of the largest part that is summed
   * @throws NoPeerAccessException on all ranks alike, if they cannot; then the group goes on
   */
  void useCopies(long part) throws NoPeerAccessException {
    copies = CopiedCollectives.share(world, arena, shared, stream, part);
  }

  /** Whether ranks read each other's memory. */
  boolean usesCopies() {
    return copies != null;
  }

  /**
   * Does {@code exchange} with what the current stream has written so far.
   *
   * @param end is done when the exchange is
   */
  void beside(CudaEvent end, Runnable exchange) {
    stream.beside(written, end, exchange);
  }

  /** {@link Collectives#reduceScatterSum}, within {@link #beside}. */
  void reduceScatterSum(Tensor shard, Tensor whole) {
    if (copies == null) {
      world.reduceScatterSum(shard, whole);
    } else {
      copies.reduceScatterSum(shard, whole);
    }
  }

  /** {@link Collectives#allGatherInto}, within {@link #beside}. */
  void allGatherInto(Tensor whole, Tensor shard) {
    if (copies == null) {
      world.allGatherInto(whole, shard);
    } else {
      copies.allGatherInto(whole, shard);
    }
  }

  /** Who this is among the ranks. */
  int rank() {
    return world.rank();
  }

  /** The current stream may free what was exchanged. */
  @Override
  public void close() {
    try (stream;
        written;
        arena;
        CopiedCollectives beforeTheirMemory = copies) {
      stream.record(written);
      written.await();
    }
  }
}
