package dev.anneal.training.collective;

import dev.anneal.training.collective.rendezvous.PeerProof;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.collective.rendezvous.SharedSecret;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.time.Duration;
import java.util.function.Supplier;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.chrono.Milliseconds;
import org.bytedeco.pytorch.GlooDeviceVector;
import org.bytedeco.pytorch.LongVector;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.Work;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Collectives between processes on CPUs, over TCP. */
public final class GlooCollectives implements Collectives {
  private static final Duration WAIT_SLICE = Duration.ofMillis(200);

  private final ProcessGroupGloo group;
  private final int rank;
  private final int worldSize;
  private volatile boolean aborted;

  private GlooCollectives(ProcessGroupGloo group, int rank, int worldSize) {
    this.group = group;
    this.rank = rank;
    this.worldSize = worldSize;
  }

  /**
   * Joins the group of {@code worldSize} ranks that meet at {@code store}; returns when all have.
   *
   * @param localHost this rank's name or address on the interface that the ranks use
   * @param timeout how long to wait for the others, here and in every collective
   */
  public static GlooCollectives join(
      RendezvousStore store, String localHost, int rank, int worldSize, Duration timeout) {
    try (PointerScope scope = new PointerScope()) {
      ProcessGroupGloo.Options options =
          ProcessGroupGloo.Options.create(new Milliseconds(timeout.toMillis()));
      options.devices(new GlooDeviceVector(ProcessGroupGloo.createDeviceForHostname(localHost)));
      ProcessGroupGloo group =
          new ProcessGroupGloo(store.connection("gloo"), rank, worldSize, options);
      // the group outlives this scope: it is closed by close()
      group.retainReference();
      GlooCollectives collectives = new GlooCollectives(group, rank, worldSize);
      collectives.requirePeers(store.secret());
      return collectives;
    } catch (CollectiveException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new CollectiveException(
          "Rank %s did not meet its %s peers within %s s: check that every node reaches %s."
              .formatted(rank, worldSize - 1, timeout.toSeconds(), localHost),
          e);
    }
  }

  private void requirePeers(SharedSecret secret) {
    try {
      PeerProof.require(secret, rank, worldSize, this::exchange);
    } catch (CollectiveException e) {
      close();
      throw e;
    }
  }

  /** Part {@code r} goes to rank {@code r}, over the connection that all other calls use. */
  private byte[] exchange(byte[] parts) {
    try (TensorScope scope = new TensorScope();
        LongVector equal = new LongVector()) {
      Tensor from = Tensors.empty(ScalarType.Byte, parts.length);
      Tensor to = Tensors.empty(ScalarType.Byte, parts.length);
      Tensors.bytes(from, 0).put(parts);
      await("all_to_all", () -> group.alltoall_base(to, from, equal, equal));
      byte[] received = new byte[parts.length];
      Tensors.bytes(to, 0).get(received);
      return received;
    }
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int worldSize() {
    return worldSize;
  }

  @Override
  public void allReduceSum(Tensor tensor) {
    try (TensorScope scope = new TensorScope()) {
      await("all_reduce", () -> group.allreduce(new TensorVector(tensor)));
    }
  }

  @Override
  public Tensor allGather(Tensor shard) {
    Tensor gathered = Tensors.empty(shard.scalar_type(), worldSize * shard.numel());
    allGatherInto(gathered, shard);
    return gathered;
  }

  @Override
  public void allGatherInto(Tensor whole, Tensor shard) {
    try (TensorScope scope = new TensorScope()) {
      Tensor to = Bytes.sendable(whole);
      Tensor from = Bytes.sendable(shard);
      await("all_gather", () -> group._allgather_base(to, from));
    }
  }

  @Override
  public void reduceScatterSum(Tensor shard, Tensor whole) {
    try (TensorScope scope = new TensorScope()) {
      // Gloo has no reduce-scatter of its own
      Tensor sum = whole.clone();
      await("reduce_scatter", () -> group.allreduce(new TensorVector(sum)));
      shard.copy_(sum.narrow(0, rank * shard.numel(), shard.numel()));
    }
  }

  @Override
  public void abort() {
    aborted = true;
  }

  @Override
  public void barrier() {
    try (TensorScope scope = new TensorScope()) {
      await("barrier", group::barrier);
    }
  }

  @Override
  public void close() {
    group.releaseReference();
  }

  private void await(String name, Supplier<Work> call) {
    try (Milliseconds slice = new Milliseconds(WAIT_SLICE.toMillis())) {
      Work work = call.get();
      while (!aborted && !isDone(work, slice)) {
        // Gloo cannot be told to stop waiting, so it waits a little at a time
      }
    } catch (RuntimeException e) {
      throw new CollectiveException(
          "Rank %s lost a peer in %s: look for the first error of the other ranks."
              .formatted(rank, name),
          e);
    }
    if (aborted) {
      throw new CollectiveException(
          "Rank %s was told to leave its peers in %s.".formatted(rank, name), null);
    }
  }

  private static boolean isDone(Work work, Milliseconds slice) {
    try {
      return work._wait(slice);
    } catch (RuntimeException e) {
      if (!work.isCompleted()) {
        return false;
      }
      // it has ended, perhaps with this error
      return work._wait();
    }
  }
}
