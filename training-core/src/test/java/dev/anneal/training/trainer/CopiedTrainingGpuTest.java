package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.JavaProcess;
import dev.anneal.training.Property;
import dev.anneal.training.collective.CollectiveException;
import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.collective.rendezvous.StoreAddress;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenLayers.Shard;
import dev.anneal.training.weights.Transport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two processes train, with gradients, adapters and weights that go between them by copies, on a
 * GPU each, or both on the only one there is.
 */
@Tag("gpu")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CopiedTrainingGpuTest {
  private static final String HOST = "127.0.0.1";
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /** How long a rank waits for one that is gone; NCCL has to connect within it too. */
  private static final Duration SOON = Duration.ofSeconds(10);

  /** What rank 1 prints when it has trained once. */
  private static final String TRAINED = "trained ";

  /** Any end of a rank whose peer is gone. */
  private static final Duration LIMIT = Duration.ofSeconds(30);

  /** The word for training on and on, with layers and gradients by copies. */
  private static final String ENDLESS = "endless";

  @TempDir Path folder;

  /** How ranks come by what they have not. */
  private enum Way {
    WHOLE_BY_NCCL(Shard.NONE, 0, Transport.COLLECTIVE, "never", "small"),
    WHOLE(Shard.NONE, 0, Transport.PEERS, "never", "small"),
    WHOLE_SUMMED_TOGETHER(Shard.NONE, 0, Transport.PEERS, "small", "small"),
    SPLIT_BY_NCCL(Shard.NODE, 0, Transport.COLLECTIVE, "never", "small"),
    SPLIT(Shard.NODE, 0, Transport.PEERS, "never", "small"),
    SPLIT_ADAPTERS_BY_LAYER(Shard.NODE, 0, Transport.PEERS, "never", "never"),
    SPLIT_ON_THE_HOST(Shard.NODE, 0.5, Transport.PEERS, "never", "small");

    private final Shard shard;
    private final double offloadRatio;
    private final Transport transport;
    private final String sums;
    private final String adapters;

    Way(Shard shard, double offloadRatio, Transport transport, String sums, String adapters) {
      this.shard = shard;
      this.offloadRatio = offloadRatio;
      this.transport = transport;
      this.sums = sums;
      this.adapters = adapters;
    }
  }

  @BeforeAll
  static void load() {
    NcclPair.assumeGpus(1);
  }

  /** Of two numbers there is one sum, in whatever order: with two ranks no bit may change. */
  @Test
  void copiesChangeNoNumber() throws Exception {
    try (RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE);
        JavaProcess peer = peer(store, PATIENCE, "all")) {
      Map<Way, List<Double>> found = new LinkedHashMap<>();
      try {
        inGroups(
            store,
            0,
            PATIENCE,
            ranks -> {
              for (Way way : Way.values()) {
                found.put(way, train(way, ranks, folder.resolve(way.name())));
              }
            });
      } catch (Exception | AssertionError e) {
        throw new AssertionError(
            "rank 0 failed behind %s; rank 1 says: %s".formatted(found.keySet(), peer.output()), e);
      }
      assertThat(peer.await(PATIENCE)).as(peer.output()).isZero();
      List<Double> expected = found.get(Way.WHOLE_BY_NCCL);
      assertThat(expected).isNotEmpty().doesNotContain(Double.NaN);
      found.forEach((way, numbers) -> assertThat(numbers).as("%s", way).isEqualTo(expected));
    }
  }

  @Test
  void aProcessThatDiesIsNoticedInTime() throws Exception {
    assertNoticed(JavaProcess::kill);
  }

  @Test
  void aProcessThatHangsIsNoticedInTime() throws Exception {
    assertNoticed(JavaProcess::freeze);
  }

  private void assertNoticed(JavaProcess.Loss loss) throws Exception {
    try (RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE);
        JavaProcess peer = peer(store, PATIENCE, ENDLESS)) {
      ExecutorService striker = Executors.newSingleThreadExecutor();
      Future<Long> struck =
          striker.submit(
              () -> {
                peer.await(TRAINED, PATIENCE);
                long before = System.nanoTime();
                loss.strike(peer);
                return before;
              });
      inGroups(
          store,
          0,
          SOON,
          ranks -> {
            assertThatThrownBy(() -> trainOn(ranks)).isInstanceOf(TrainingException.class);
            long noticed = System.nanoTime();
            assertThatThrownBy(ranks::check).isInstanceOf(CollectiveException.class);
            long since = struck.get(1, TimeUnit.SECONDS);
            assertThat(Duration.ofNanos(noticed - since)).isPositive().isLessThan(LIMIT);
          });
      striker.shutdownNow();
    }
  }

  private void trainOn(Ranks ranks) throws IOException {
    for (int run = 0; ; run++) {
      train(Way.SPLIT_ON_THE_HOST, ranks, folder.resolve("run-" + run));
    }
  }

  private JavaProcess peer(RendezvousStore store, Duration timeout, String task)
      throws IOException {
    return JavaProcess.start(
        CopiedTrainingGpuTest.class,
        folder.resolve("peer.log"),
        JavaProcess.WITH_LIBTORCH,
        List.of(store.address().toText(), Long.toString(timeout.toSeconds()), task));
  }

  /**
   * Rank 1.
   *
   * @param args address of rank 0's store, timeout in seconds, and {@link #ENDLESS} or "all"
   */
  public static void main(String[] args) throws Exception {
    Duration timeout = Duration.ofSeconds(Long.parseLong(args[1]));
    Path output = Files.createTempDirectory("anneal-peer");
    Gpus.require(1);
    try (RendezvousStore store = RendezvousStore.connect(StoreAddress.parse(args[0]), timeout)) {
      inGroups(
          store,
          1,
          timeout,
          ranks -> {
            if (args[2].equals(ENDLESS)) {
              for (int run = 0; ; run++) {
                train(Way.SPLIT_ON_THE_HOST, ranks, output.resolve("run-" + run));
                System.out.println(TRAINED + run);
              }
            }
            for (Way way : Way.values()) {
              train(way, ranks, output.resolve(way.name()));
              System.out.println(TRAINED + way);
            }
          });
    }
  }

  private interface Work {
    void run(Ranks ranks) throws Exception;
  }

  private static void inGroups(RendezvousStore store, int rank, Duration timeout, Work work)
      throws Exception {
    NcclRanks.inGroups(
        store,
        NcclPair.gpuOfProcess(rank),
        rank,
        2,
        timeout,
        ranks -> {
          work.run(ranks);
          return null;
        });
  }

  /** Losses and norms of all steps. */
  private static List<Double> train(Way way, Ranks ranks, Path output) throws IOException {
    ReferenceRun reference = ReferenceRun.load();
    TrainingSpec spec =
        Recipe.from(reference.spec(2))
            .computeDtype(DType.BF16)
            .baseDtype(DType.FP8)
            .matmul(Matmul.FP8)
            .activations(KeptActivations.ALL)
            .shard(way.shard)
            .offloadRatio(way.offloadRatio)
            .spec();
    String transport = way.transport.name();
    // what multiplies depends on what goes on beside it, and its bits on what multiplies
    try (Property products = Property.set(Products.PROPERTY, "cublaslt");
        Property weights = Property.set(Transport.WEIGHTS, transport);
        Property parameters = Property.set(Transport.PARAMETERS, transport);
        Property sums = Property.set(AdapterGathering.GRADIENTS_PROPERTY, way.sums);
        Property adapters = Property.set(AdapterGathering.PROPERTY, way.adapters)) {
      return RecordingListener.numbers(reference.train(spec, ranks, output));
    }
  }
}
