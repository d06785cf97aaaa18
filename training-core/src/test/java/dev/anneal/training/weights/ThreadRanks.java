package dev.anneal.training.weights;

import dev.anneal.training.collective.GatheringOnly;
import dev.anneal.training.collective.PeerWaits;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch_cuda;

/** Ranks that are threads of one process and read each other's tensors. */
public final class ThreadRanks {
  private final CyclicBarrier barrier;
  private final Tensor[] shards;

  private ThreadRanks(int worldSize) {
    barrier = new CyclicBarrier(worldSize);
    shards = new Tensor[worldSize];
  }

  /** What one rank does; its result is handed to the test's own thread. */
  public interface Work<T> {
    T run(Rank rank) throws Exception;
  }

  /** Runs {@code work} as every rank at a time and gives their results in order. */
  public static <T> List<T> run(int worldSize, Work<T> work) {
    ThreadRanks ranks = new ThreadRanks(worldSize);
    List<CompletableFuture<T>> running = new ArrayList<>();
    for (int i = 0; i < worldSize; i++) {
      Rank rank = ranks.new Rank(i);
      CompletableFuture<T> result = new CompletableFuture<>();
      Thread thread =
          new Thread(
              () -> {
                try (TensorScope scope = new TensorScope()) {
                  result.complete(work.run(rank));
                } catch (Throwable e) {
                  result.completeExceptionally(e);
                  ranks.barrier.reset();
                }
              });
      thread.start();
      running.add(result);
    }
    return running.stream().map(CompletableFuture::join).toList();
  }

  /** One of them. */
  public final class Rank implements GatheringOnly {
    private final int rank;
    private int gathers;
    private PeerWaits waits;

    private Rank(int rank) {
      this.rank = rank;
    }

    /** How often it has gathered. */
    int gathers() {
      return gathers;
    }

    /** What it is to end when it ends; {@code null} if nothing. */
    public PeerWaits waits() {
      return waits;
    }

    @Override
    public void include(PeerWaits more) {
      waits = more;
    }

    @Override
    public void exclude(PeerWaits over) {
      waits = null;
    }

    @Override
    public int rank() {
      return rank;
    }

    @Override
    public int worldSize() {
      return shards.length;
    }

    @Override
    public Tensor allGather(Tensor shard) {
      Tensor whole = Tensors.emptyLike(shard, shard.numel() * worldSize());
      allGatherInto(whole, shard);
      return whole;
    }

    @Override
    public void allGatherInto(Tensor whole, Tensor shard) {
      gathers++;
      shards[rank] = shard;
      await(shard);
      try (TensorScope scope = new TensorScope()) {
        for (int i = 0; i < worldSize(); i++) {
          // a rank's own part may be in its place already
          if (i != rank
              || whole.narrow(0, i * shard.numel(), 1).data_ptr().address()
                  != shard.data_ptr().address()) {
            whole.narrow(0, i * shard.numel(), shard.numel()).copy_(shards[i]);
          }
        }
      }
      await(shard);
    }

    /** Until all ranks are here, and what they have given their streams is done. */
    private void await(Tensor tensor) {
      if (tensor.is_cuda()) {
        torch_cuda.getCurrentCUDAStream().synchronize();
      }
      try {
        barrier.await(60, TimeUnit.SECONDS);
      } catch (InterruptedException | BrokenBarrierException | TimeoutException e) {
        throw new IllegalStateException("a rank is missing", e);
      }
    }
  }
}
