package dev.anneal.training.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.JavaProcess;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two ranks on two GPUs, as two threads of this process or as two processes. */
@Tag("gpu")
@Timeout(value = 180, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class NcclCollectivesTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Duration SOON = Duration.ofSeconds(15);

  @TempDir Path folder;

  private interface Rank {
    void run(Collectives world, Collectives shard, Device device) throws Exception;
  }

  @BeforeAll
  static void twoGpus() {
    NcclPair.assumeGpus(2);
  }

  @Test
  void twoThreadsGetTheExpectedSums() throws Exception {
    inTwoThreads(
        PATIENCE,
        (world, shard, device) -> {
          CollectiveCalls.check(world, device);
          CollectiveCalls.check(shard, device);
        });
  }

  @Test
  void twoProcessesGetTheExpectedSums() throws Exception {
    try (RendezvousStore store = RendezvousStore.serve(NcclPeer.HOST, PATIENCE);
        JavaProcess peer = peer(store, "calls", PATIENCE)) {
      inProcess(store, PATIENCE, (world, device) -> CollectiveCalls.check(world, device));
      assertThat(peer.await(PATIENCE)).as(peer.output()).isZero();
    }
  }

  @Test
  void aCallDoesNotWaitForItsPeers() throws Exception {
    CountDownLatch called = new CountDownLatch(1);
    inTwoThreads(
        PATIENCE,
        (world, shard, device) -> {
          Tensor ones = Tensors.ones(device, ScalarType.Float, 1 << 20);
          if (world.rank() == 0) {
            world.allReduceSum(ones);
            called.countDown();
          } else {
            // the other rank has returned from its call before this one makes it
            assertThat(called.await(20, TimeUnit.SECONDS)).isTrue();
            world.allReduceSum(ones);
          }
          assertThat(ones.sum().item_double()).isEqualTo(2 << 20);
        });
  }

  @Test
  void aThreadThatHangsIsNoticedInTime() throws Exception {
    CountDownLatch noticed = new CountDownLatch(1);
    inTwoThreads(
        SOON,
        (world, shard, device) -> {
          if (world.rank() == 1) {
            noticed.await(60, TimeUnit.SECONDS);
            return;
          }
          try {
            assertEndsSoon(world, device);
          } finally {
            noticed.countDown();
          }
        });
  }

  @Test
  void aProcessThatDiesIsNoticedInTime() throws Exception {
    assertNoticed(JavaProcess::kill);
  }

  @Test
  void aProcessThatHangsIsNoticedInTime() throws Exception {
    assertNoticed(JavaProcess::freeze);
  }

  @Test
  void abortFreesWhoWaits() throws Exception {
    CountDownLatch aborted = new CountDownLatch(1);
    inTwoThreads(
        PATIENCE,
        (world, shard, device) -> {
          if (world.rank() == 1) {
            aborted.await(60, TimeUnit.SECONDS);
            return;
          }
          Thread sibling =
              new Thread(
                  () -> {
                    sleep(Duration.ofSeconds(1));
                    world.abort();
                  });
          sibling.start();
          long start = System.nanoTime();
          assertThatThrownBy(world::barrier)
              .isInstanceOf(CollectiveException.class)
              .hasMessageContaining("was told to leave its peers");
          assertThat(Duration.ofNanos(System.nanoTime() - start))
              .isLessThan(Duration.ofSeconds(20));
          assertThatThrownBy(world::check).isInstanceOf(CollectiveException.class);
          aborted.countDown();
        });
  }

  @Test
  void aPeerThatNeverComesIsMissed() {
    try (RendezvousStore store = RendezvousStore.serve(NcclPeer.HOST, PATIENCE)) {
      assertThatThrownBy(
              () ->
                  NcclCollectives.join(store, "world", Device.gpu(0), 0, 2, Duration.ofSeconds(2)))
          .isInstanceOf(CollectiveException.class)
          .hasMessageStartingWith("Rank 0 of world did not meet its 1 peers within 2 s");
    }
  }

  private void assertNoticed(JavaProcess.Loss loss) throws Exception {
    try (RendezvousStore store = RendezvousStore.serve(NcclPeer.HOST, PATIENCE);
        JavaProcess peer = peer(store, "idle", PATIENCE)) {
      inProcess(
          store,
          SOON,
          (world, device) -> {
            loss.strike(peer);
            assertEndsSoon(world, device);
          });
    }
  }

  /** Waits on the host for a sum that never comes. */
  private static void assertEndsSoon(Collectives world, Device device) {
    long start = System.nanoTime();
    Tensor ones = Tensors.ones(device, ScalarType.Float, 1 << 20);
    world.allReduceSum(ones);
    // without the abort this would wait forever
    ones.sum().item_double();
    assertThatThrownBy(world::check)
        .isInstanceOf(CollectiveException.class)
        .hasMessageStartingWith("Rank 0 of world");
    assertThatThrownBy(() -> world.allReduceSum(ones)).isInstanceOf(CollectiveException.class);
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(SOON.multipliedBy(2));
  }

  private interface Alone {
    void run(Collectives world, Device device) throws Exception;
  }

  private static void inProcess(RendezvousStore store, Duration timeout, Alone rank)
      throws Exception {
    Device device = Device.gpu(0);
    Gpus.bind(device);
    // a JVM and CUDA start there first
    assertThat(store.meet("ready", 2, PATIENCE)).isTrue();
    try (Collectives world = NcclCollectives.join(store, "world", device, 0, 2, timeout);
        TensorScope scope = new TensorScope()) {
      rank.run(world, device);
    }
  }

  private static void inTwoThreads(Duration timeout, Rank rank) throws Exception {
    NcclPair.run((store, number) -> join(store, number, timeout, rank));
  }

  private static void join(RendezvousStore store, int number, Duration timeout, Rank rank)
      throws Exception {
    Device device = Device.gpu(number);
    Gpus.bind(device);
    try (Collectives world = NcclCollectives.join(store, "world", device, number, 2, timeout);
        Collectives shard = NcclCollectives.join(store, "shard", device, number, 2, timeout);
        TensorScope scope = new TensorScope()) {
      rank.run(world, shard, device);
    }
  }

  private JavaProcess peer(RendezvousStore store, String task, Duration timeout)
      throws IOException {
    return JavaProcess.start(
        NcclPeer.class,
        folder.resolve("peer.log"),
        List.of("-Xmx1g"),
        List.of(store.address().toText(), Long.toString(timeout.toSeconds()), task));
  }

  private static void sleep(Duration time) {
    try {
      Thread.sleep(time.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
