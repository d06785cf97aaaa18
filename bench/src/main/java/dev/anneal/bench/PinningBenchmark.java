package dev.anneal.bench;

import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.cuda.RegisteredMemory;
import dev.anneal.training.tensor.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How fast a host gives page-locked memory: the driver's own, and ours. */
@Command(name = "pinning-benchmark", mixinStandardHelpOptions = true)
final class PinningBenchmark implements Callable<Integer> {
  private static final double GIB = 1L << 30;

  @Option(names = "--gpus", description = "ranks, a GPU and a thread each (default: 1)")
  private int gpus = 1;

  @Option(names = "--gib", description = "GiB of each rank (default: 16)")
  private int gib = 16;

  @Option(names = "--block-mib", description = "MiB of a block (default: 1024)")
  private int blockMib = 1024;

  @Option(
      names = "--threads",
      split = ",",
      description = "threads of each rank (default: 1,2,4,8,16)")
  private int[] threads = {1, 2, 4, 8, 16};

  /** What a rank takes, and what gives it back. */
  private interface Taking {
    AutoCloseable take(Device device);
  }

  public static void main(String[] arguments) {
    System.exit(new CommandLine(new PinningBenchmark()).execute(arguments));
  }

  @Override
  public Integer call() throws Exception {
    Gpus.require(gpus);
    int blocks = Math.max(1, (int) (gib * 1024L / blockMib));
    long bytes = (long) blockMib << 20;
    measure("cudaHostAlloc", blocks * bytes, device -> hostAlloc(blocks, bytes));
    for (int n : threads) {
      measure(
          "registered, %s threads a rank".formatted(n),
          blocks * bytes,
          device -> RegisteredMemory.allocate(device, blocks, bytes, n, done -> {}));
    }
    return 0;
  }

  private void measure(String name, long bytesOfRank, Taking taking) throws Exception {
    ExecutorService ranks = Executors.newFixedThreadPool(gpus);
    try {
      // a context takes longer than a block
      onEach(ranks, device -> () -> {});
      long start = System.nanoTime();
      List<AutoCloseable> taken = onEach(ranks, taking);
      double seconds = (System.nanoTime() - start) / 1e9;
      long end = System.nanoTime();
      for (AutoCloseable memory : taken) {
        memory.close();
      }
      System.out.printf(
          "RESULT %s, huge pages %s: %s ranks x %.1f GiB in %.2f s, %.2f GiB/s in all; given back in %.2f s%n",
          name,
          "1".equals(System.getenv("THP_MEM_ALLOC_ENABLE")) ? "asked for" : "not asked for",
          gpus,
          bytesOfRank / GIB,
          seconds,
          gpus * bytesOfRank / GIB / seconds,
          (System.nanoTime() - end) / 1e9);
    } finally {
      ranks.shutdown();
    }
  }

  private List<AutoCloseable> onEach(ExecutorService ranks, Taking taking) {
    List<CompletableFuture<AutoCloseable>> results = new ArrayList<>();
    for (int rank = 0; rank < gpus; rank++) {
      Device device = Device.gpu(rank);
      results.add(
          CompletableFuture.supplyAsync(
              () -> {
                Gpus.bind(device);
                check(cudart.cudaFree(null));
                return taking.take(device);
              },
              ranks));
    }
    return results.stream().map(CompletableFuture::join).toList();
  }

  private static AutoCloseable hostAlloc(int blocks, long bytes) {
    List<Pointer> taken = new ArrayList<>();
    try (PointerPointer<Pointer> place = new PointerPointer<>(1)) {
      for (int i = 0; i < blocks; i++) {
        check(cudart.cudaHostAlloc(place, bytes, cudart.cudaHostAllocPortable));
        taken.add(place.get());
      }
    }
    return () -> taken.forEach(pointer -> check(cudart.cudaFreeHost(pointer)));
  }

  private static void check(int error) {
    if (error != cudart.cudaSuccess) {
      throw new IllegalStateException(cudart.cudaGetErrorString(error).getString());
    }
  }
}
