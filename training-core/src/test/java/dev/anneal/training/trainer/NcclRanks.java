package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.NcclCollectives;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.tensor.Device;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Ranks on a GPU each that are threads of the tests' process and talk NCCL. */
final class NcclRanks {
  private static final String HOST = "127.0.0.1";
  private static final Duration TIMEOUT = Duration.ofSeconds(60);

  private NcclRanks() {}

  /** What a rank does. */
  interface Work<T> {
    T run(Ranks ranks) throws Exception;
  }

  /** Does {@code work} as all ranks at a time and gives their results in order. */
  static <T> List<T> run(int worldSize, Work<T> work) throws Exception {
    Gpus.require(worldSize);
    ExecutorService threads = Executors.newFixedThreadPool(worldSize);
    try (RendezvousStore store = RendezvousStore.serve(HOST, TIMEOUT)) {
      List<Future<T>> running = new ArrayList<>();
      for (int i = 0; i < worldSize; i++) {
        int rank = i;
        running.add(threads.submit(() -> join(store, rank, worldSize, work)));
      }
      List<T> results = new ArrayList<>();
      for (Future<T> rank : running) {
        results.add(rank.get(TIMEOUT.toSeconds() * 2, TimeUnit.SECONDS));
      }
      return results;
    } finally {
      threads.shutdownNow();
    }
  }

  private static <T> T join(RendezvousStore served, int rank, int worldSize, Work<T> work)
      throws Exception {
    try (RendezvousStore own = RendezvousStore.connect(served.address(), TIMEOUT)) {
      return inGroups(own, Device.gpu(rank), rank, worldSize, TIMEOUT, work);
    }
  }

  /** Does {@code work} as one rank on {@code device}; the others may be other processes. */
  static <T> T inGroups(
      RendezvousStore store, Device device, int rank, int worldSize, Duration timeout, Work<T> work)
      throws Exception {
    Gpus.bind(device);
    try (Collectives world =
            NcclCollectives.join(store, "world", device, rank, worldSize, timeout);
        Collectives shard =
            NcclCollectives.join(store, "shard", device, rank, worldSize, timeout)) {
      return work.run(new Ranks(device, world, shard));
    }
  }
}
