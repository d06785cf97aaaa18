package dev.anneal.training.collective;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.global.torch;

/**
 * Two ranks that talk NCCL: threads of the tests' process, on a GPU each, or processes, which may
 * share one.
 */
public final class NcclPair {
  private static final String HOST = "127.0.0.1";
  private static final Duration PATIENCE = Duration.ofSeconds(90);

  private NcclPair() {}

  /** What a rank does before it is in a group. */
  public interface Work {
    void run(RendezvousStore store, int number) throws Exception;
  }

  /** What it does in one. */
  public interface Rank {
    void run(Collectives shard, Device device) throws Exception;
  }

  /** Skips the test where there are fewer GPUs. */
  public static void assumeGpus(int count) {
    int seen = Gpus.find(1).size();
    assumeTrue(seen >= count, () -> "%s GPUs are needed, and there are %s".formatted(count, seen));
    Gpus.require(count);
  }

  /** Does {@code rank} as both ranks at a time, each in a tensor scope. */
  public static void run(Duration timeout, Rank rank) throws Exception {
    run((store, number) -> join(store, number, Device.gpu(number), timeout, rank));
  }

  /** Does {@code rank} as rank {@code number}, in another process than the other rank. */
  public static void joinAsProcess(RendezvousStore store, int number, Duration timeout, Rank rank)
      throws Exception {
    join(store, number, gpuOfProcess(number), timeout, rank);
  }

  /**
   * The GPU of a rank that is a process: one of its own, or the only one, which both then share.
   * NCCL refuses that of one host, so it takes the processes for two.
   */
  public static Device gpuOfProcess(int number) {
    if (Gpus.find(1).size() > 1) {
      return Device.gpu(number);
    }
    NativeLibraries.load();
    torch.set_env("NCCL_HOSTID", "process-" + number, true);
    torch.set_env("NCCL_NET", "Socket", true);
    return Device.gpu(0);
  }

  private static void join(
      RendezvousStore store, int number, Device device, Duration timeout, Rank rank)
      throws Exception {
    Gpus.bind(device);
    try (Collectives shard = NcclCollectives.join(store, "shard", device, number, 2, timeout);
        TensorScope scope = new TensorScope()) {
      rank.run(shard, device);
    }
  }

  static void run(Work work) throws Exception {
    Gpus.require(2);
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE);
        RendezvousStore other = RendezvousStore.connect(store.address(), PATIENCE)) {
      Future<?> first = threads.submit(() -> started(work, store, 0));
      Future<?> second = threads.submit(() -> started(work, other, 1));
      first.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      second.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    } finally {
      threads.shutdownNow();
    }
  }

  private static Void started(Work work, RendezvousStore store, int number) throws Exception {
    work.run(store, number);
    return null;
  }
}
