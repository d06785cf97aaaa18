package dev.anneal.training.trainer;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GlooCollectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.tensor.NativeLibraries;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Ranks on the host that are threads of the tests' process and talk Gloo. */
public final class GlooRanks {
  private static final String HOST = "127.0.0.1";
  private static final Duration TIMEOUT = Duration.ofSeconds(60);

  private GlooRanks() {}

  /** What a rank does. */
  public interface Work {
    void run(Collectives world) throws Exception;
  }

  /**
   * Does {@code work} as all ranks at a time.
   *
   * @return what every rank threw, {@code null} where it came to its end
   */
  public static List<Throwable> run(int worldSize, Work work) throws Exception {
    return run(worldSize, TIMEOUT, work);
  }

  /** The same of ranks that wait for each other no longer than {@code timeout}. */
  static List<Throwable> run(int worldSize, Duration timeout, Work work) throws Exception {
    NativeLibraries.load();
    ExecutorService threads = Executors.newFixedThreadPool(worldSize);
    try (RendezvousStore store = RendezvousStore.serve(HOST, TIMEOUT)) {
      List<Future<Throwable>> ranks = new ArrayList<>();
      for (int i = 0; i < worldSize; i++) {
        int rank = i;
        ranks.add(threads.submit(catching(() -> join(store, rank, worldSize, timeout, work))));
      }
      List<Throwable> thrown = new ArrayList<>();
      for (Future<Throwable> rank : ranks) {
        thrown.add(rank.get());
      }
      return thrown;
    } finally {
      threads.shutdown();
    }
  }

  private static Callable<Throwable> catching(Callable<Void> work) {
    return () -> {
      try {
        work.call();
        return null;
      } catch (Exception | AssertionError e) {
        return e;
      }
    };
  }

  private static Void join(
      RendezvousStore served, int rank, int worldSize, Duration timeout, Work work)
      throws Exception {
    if (worldSize == 1) {
      work.run(new SingleRank());
      return null;
    }
    try (RendezvousStore own = RendezvousStore.connect(served.address(), TIMEOUT);
        Collectives world = GlooCollectives.join(own, HOST, rank, worldSize, timeout)) {
      work.run(world);
    }
    return null;
  }
}
