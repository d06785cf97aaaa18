package dev.anneal.bench;

import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.collective.rendezvous.StoreAddress;
import dev.anneal.training.trainer.StepMetrics;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The ranks of one measurement: threads of this process, or processes of which it is the first.
 *
 * @param arguments of this process, which the others get too
 */
record MeasuredRanks(
    TrainingOptions options, LocalCheckpoints checkpoints, List<String> arguments) {
  static final String HOST = "127.0.0.1";

  /** Tells the other processes where the first one's store is. */
  private static final String STORE = "ANNEAL_BENCH_STORE";

  private static final Duration TIMEOUT = Duration.ofMinutes(2);

  /** All of them; the metrics are the first one's. */
  List<StepMetrics> run() throws Exception {
    List<List<StepMetrics>> measured = new ArrayList<>();
    List<Process> others = new ArrayList<>();
    int threadCount = options.processes ? 1 : options.gpus;
    ExecutorService threads = Executors.newFixedThreadPool(threadCount);
    try (RendezvousStore store = options.gpus > 1 ? RendezvousStore.serve(HOST, TIMEOUT) : null) {
      StoreAddress address = store == null ? null : store.address();
      for (int i = threadCount; i < options.gpus; i++) {
        others.add(start(i, address));
      }
      List<Future<List<StepMetrics>>> ranks = new ArrayList<>();
      for (int i = 0; i < threadCount; i++) {
        int rank = i;
        ranks.add(
            threads.submit(() -> rank == 0 ? rank(0).run(store, TIMEOUT) : join(rank, address)));
      }
      for (Future<List<StepMetrics>> rank : ranks) {
        measured.add(rank.get());
      }
      for (Process other : others) {
        if (other.waitFor() != 0) {
          throw new IllegalStateException("another rank has failed");
        }
      }
    } finally {
      threads.shutdownNow();
      others.forEach(Process::destroyForcibly);
    }
    return measured.get(0);
  }

  /** The one that this process is, which another process has started. */
  void runOnly(int rank) throws IOException {
    join(rank, StoreAddress.parse(System.getenv(STORE)));
  }

  private MeasuredRank rank(int rank) {
    return new MeasuredRank(options, checkpoints, rank);
  }

  private List<StepMetrics> join(int rank, StoreAddress address) throws IOException {
    try (RendezvousStore store = RendezvousStore.connect(address, TIMEOUT)) {
      return rank(rank).run(store, TIMEOUT);
    }
  }

  /** This command in a JVM like this one, as another rank. */
  private Process start(int rank, StoreAddress address) throws IOException {
    List<String> line = new ArrayList<>();
    line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    line.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    line.addAll(List.of("-cp", System.getProperty("java.class.path")));
    line.add(TrainingBenchmark.class.getName());
    line.addAll(arguments);
    line.addAll(List.of("--rank", Integer.toString(rank)));
    ProcessBuilder builder = new ProcessBuilder(line);
    // it holds a secret, which other users see in arguments
    builder.environment().put(STORE, address.toText());
    // results are the first rank's alone
    return builder
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }
}
