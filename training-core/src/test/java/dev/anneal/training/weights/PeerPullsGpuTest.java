package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.JavaProcess;
import dev.anneal.training.collective.CollectiveException;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Layers that two ranks pull out of each other's memory: threads, of a GPU each, or processes,
 * which may share one.
 */
@Tag("gpu")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PeerPullsGpuTest {
  private static final Duration PATIENCE = Duration.ofSeconds(90);

  /** How long a rank waits for one that is gone; NCCL has to connect within it too. */
  private static final Duration SOON = Duration.ofSeconds(4);

  /** Any wait that ends. */
  private static final Duration LIMIT = Duration.ofSeconds(30);

  @TempDir Path folder;

  @BeforeAll
  static void load() {
    NcclPair.assumeGpus(1);
  }

  @AfterEach
  void noFileIsLeft() throws IOException {
    try (Stream<Path> shared = Files.list(Path.of("/dev/shm"))) {
      assertThat(shared.filter(f -> f.getFileName().toString().startsWith("anneal-peers")))
          .as("pages in /dev/shm")
          .isEmpty();
    }
  }

  @Test
  void twoThreadsPullWholeLayers() throws Exception {
    onThreads(PATIENCE, PulledLayers::checkAll);
  }

  /** As training does, which hung. */
  @ParameterizedTest
  @CsvSource({"0", "0.5"})
  void twoThreadsPullWhileTheyAllocate(double ratio) throws Exception {
    onThreads(PATIENCE, (shard, device) -> PulledLayers.checkWhileAllocating(shard, device, ratio));
  }

  @Test
  void twoProcessesPullWholeLayers() throws Exception {
    try (RendezvousStore store = RendezvousStore.serve(PullingPeer.HOST, PATIENCE);
        JavaProcess peer = peer(store, PATIENCE, DType.FP8, 0, PullingPeer.CHECK)) {
      try {
        inProcess(store, peer, PATIENCE, PulledLayers::checkAll);
      } catch (RuntimeException | Error e) {
        throw new AssertionError("rank 0 failed; rank 1 says: " + peer.output(), e);
      }
      assertThat(peer.await(PATIENCE)).as(peer.output()).isZero();
    }
  }

  @ParameterizedTest
  @CsvSource({"FP8, 0", "FP8, 0.5"})
  void theGroupGathersTheSameLayers(DType dtype, double ratio) throws Exception {
    onThreads(
        PATIENCE,
        (shard, device) -> PulledLayers.check(shard, device, dtype, ratio, Transport.COLLECTIVE));
  }

  /** As training does after a failed attempt, in the same process. */
  @Test
  void layersArePulledAgainAndAgain() throws Exception {
    onThreads(
        PATIENCE,
        (shard, device) -> {
          for (int run = 0; run < 3; run++) {
            PulledLayers.check(shard, device, DType.FP8, 0.5, Transport.PEERS);
          }
        });
  }

  @ParameterizedTest
  @CsvSource({"0", "0.5"})
  void aThreadThatFailsFreesItsPeer(double ratio) throws Exception {
    onThreads(
        PATIENCE,
        (shard, device) -> {
          try (FrozenLayers frozen = load(shard, device, ratio)) {
            frozen.use(0, 1);
            if (shard.rank() == 0) {
              assertEndsSoon(shard, device, frozen);
            }
            // the other one leaves as after an exception: its weights first, then its group
          }
        });
  }

  @Test
  void aThreadThatHangsIsNoticedInTime() throws Exception {
    CountDownLatch noticed = new CountDownLatch(1);
    onThreads(
        SOON,
        (shard, device) -> {
          try (FrozenLayers frozen = load(shard, device, 0.5)) {
            frozen.use(0, FrozenLayers.NONE);
            if (shard.rank() == 1) {
              assertThat(noticed.await(60, TimeUnit.SECONDS)).isTrue();
              // nobody is left to take leave of
              shard.abort();
              return;
            }
            assertEndsSoon(shard, device, frozen);
            assertThatThrownBy(shard::check)
                .hasMessageContaining(
                    "waited %s s for its peers in bringing a layer together", SOON.toSeconds());
          } finally {
            noticed.countDown();
          }
        });
  }

  @Test
  void abortFreesWhoWaits() throws Exception {
    CountDownLatch aborted = new CountDownLatch(1);
    onThreads(
        PATIENCE,
        (shard, device) -> {
          try (FrozenLayers frozen = load(shard, device, 1)) {
            frozen.use(0, FrozenLayers.NONE);
            if (shard.rank() == 1) {
              assertThat(aborted.await(60, TimeUnit.SECONDS)).isTrue();
              // nobody is left to take leave of
              shard.abort();
              return;
            }
            Thread sibling = new Thread(() -> abortIn(shard, Duration.ofSeconds(1)));
            sibling.start();
            assertEndsSoon(shard, device, frozen);
          } finally {
            aborted.countDown();
          }
        });
  }

  @Test
  void aProcessThatDiesIsNoticedInTime() throws Exception {
    assertNoticed(0.5, JavaProcess::kill);
  }

  @Test
  void aProcessThatHangsIsNoticedInTime() throws Exception {
    assertNoticed(1, JavaProcess::freeze);
  }

  /** A rank's memory outlives its process for whoever has it open; that nothing hangs counts. */
  @Test
  void aProcessThatDiesWhileOthersReadItsDeviceHangsNobody() throws Exception {
    try (RendezvousStore store = RendezvousStore.serve(PullingPeer.HOST, PATIENCE);
        JavaProcess peer = peer(store, PATIENCE, DType.FP8, 0, "idle")) {
      inProcess(
          store,
          peer,
          SOON,
          (shard, device) -> {
            try (FrozenLayers frozen = load(shard, device, 0)) {
              peer.await(PullingPeer.IDLE, PATIENCE);
              peer.kill();
              Tensor busy = Tensors.ones(device, ScalarType.BFloat16, 64, 64);
              for (int layer = 0; layer < 4; layer++) {
                PulledLayers.visit(frozen, layer, layer + 1, device, busy, 1).item_double();
              }
            } catch (RuntimeException e) {
              // an error is as good
              System.out.println("after the death of the peer: " + e.getMessage());
            }
            // nobody is left to take leave of
            shard.abort();
          });
    }
  }

  private static void onThreads(Duration timeout, NcclPair.Rank rank) throws Exception {
    NcclPair.assumeGpus(2);
    NcclPair.run(timeout, rank);
  }

  private void assertNoticed(double ratio, JavaProcess.Loss loss) throws Exception {
    try (RendezvousStore store = RendezvousStore.serve(PullingPeer.HOST, PATIENCE);
        JavaProcess peer = peer(store, PATIENCE, DType.FP8, ratio, "idle")) {
      inProcess(
          store,
          peer,
          SOON,
          (shard, device) -> {
            try (FrozenLayers frozen = load(shard, device, ratio)) {
              frozen.use(0, FrozenLayers.NONE);
              peer.await(PullingPeer.IDLE, PATIENCE);
              loss.strike(peer);
              assertEndsSoon(shard, device, frozen);
            }
          });
    }
  }

  /** Waits on the host for layers that the peer does not bring. */
  private static void assertEndsSoon(Collectives shard, Device device, FrozenLayers frozen) {
    long start = System.nanoTime();
    Tensor busy = Tensors.ones(device, ScalarType.BFloat16, 64, 64);
    assertThatThrownBy(
            () -> {
              while (true) {
                for (int layer = 0; layer < 6; layer++) {
                  Tensor print =
                      PulledLayers.visit(frozen, layer, (layer + 1) % 6, device, busy, 1);
                  // without an end this would wait forever
                  print.item_double();
                  print.close();
                  shard.check();
                }
              }
            })
        .isInstanceOf(CollectiveException.class);
    assertThatThrownBy(shard::check).isInstanceOf(CollectiveException.class);
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(LIMIT);
  }

  private static void abortIn(Collectives shard, Duration time) {
    try {
      Thread.sleep(time.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    shard.abort();
  }

  private static FrozenLayers load(Collectives shard, Device device, double ratio) {
    return PulledLayers.load(shard, device, DType.FP8, ratio, Transport.PEERS);
  }

  private static void inProcess(
      RendezvousStore store, JavaProcess peer, Duration timeout, NcclPair.Rank rank)
      throws Exception {
    // a JVM and CUDA start there first
    peer.await(PullingPeer.CONNECTED, PATIENCE);
    NcclPair.joinAsProcess(store, 0, timeout, rank);
  }

  private JavaProcess peer(
      RendezvousStore store, Duration timeout, DType dtype, double ratio, String task)
      throws IOException {
    return PullingPeer.start(
        folder.resolve("peer.log"),
        store,
        timeout,
        List.of(dtype.name(), Double.toString(ratio), task));
  }
}
