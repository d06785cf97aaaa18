package dev.anneal.training.collective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Deviation;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

/** Two ranks as two threads, each with a connection of its own to the store. */
class GlooCollectivesTest {
  private static final String HOST = "127.0.0.1";

  /** Of the adapter with r=16 on all layers of Llama 3.2 1B. */
  private static final long ADAPTER = 11_272_192;

  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private interface Rank {
    void run(Collectives collectives) throws Exception;
  }

  @Test
  void everyCallGivesTheExpectedSums() throws Exception {
    inTwoThreads(CollectiveCalls::check);
  }

  @Test
  void abortFreesARankThatWaits() throws Exception {
    CompletableFuture<Collectives> waiting = new CompletableFuture<>();
    inTwoThreads(
        collectives -> {
          if (collectives.rank() == 1) {
            long start = System.nanoTime();
            Collectives peer = waiting.get(10, TimeUnit.SECONDS);
            Thread.sleep(500);
            peer.abort();
            assertThat(System.nanoTime() - start).isLessThan(PATIENCE.toNanos() / 2);
            // so that the other's end of the connection has nothing left to wait for
            collectives.allReduceSum(Tensors.ones(Device.CPU, ScalarType.Float, 1));
            return;
          }
          waiting.complete(collectives);
          assertThatThrownBy(
                  () -> collectives.allReduceSum(Tensors.ones(Device.CPU, ScalarType.Float, 1)))
              .isInstanceOf(CollectiveException.class)
              .hasMessageContaining("was told to leave its peers in all_reduce");
        });
  }

  @Test
  void ranksMeetAtAStoreOrMissEachOther() {
    try (RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE);
        RendezvousStore other = RendezvousStore.connect(store.address(), PATIENCE)) {
      Future<Boolean> met =
          CompletableFuture.supplyAsync(() -> other.meet("both", 2, Duration.ofSeconds(20)));
      assertThat(store.meet("both", 2, Duration.ofSeconds(20))).isTrue();
      assertThat(met).succeedsWithin(Duration.ofSeconds(20)).isEqualTo(true);
      assertThat(store.meet("one", 2, Duration.ofMillis(200))).isFalse();
    }
  }

  private static void inTwoThreads(Rank rank) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (RendezvousStore store = RendezvousStore.serve(HOST, PATIENCE)) {
      Future<Void> first = threads.submit(in(store, 0, rank));
      try (RendezvousStore other = RendezvousStore.connect(store.address(), PATIENCE)) {
        Future<Void> second = threads.submit(in(other, 1, rank));
        first.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        second.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private static Callable<Void> in(RendezvousStore store, int number, Rank rank) {
    return () -> {
      try (Collectives collectives = GlooCollectives.join(store, HOST, number, 2, PATIENCE);
          TensorScope scope = new TensorScope()) {
        rank.run(collectives);
        return null;
      }
    };
  }

  @Test
  void sumsAtTheSizeOfRealAdaptersLoseNoDigits() throws Exception {
    inTwoThreads(
        collectives -> {
          Tensor mine = gradient(collectives.rank());
          Tensor expected = gradient(0).to(ScalarType.Double).add(gradient(1));
          Tensor shard = Tensors.empty(ScalarType.Float, ADAPTER / 2);
          collectives.reduceScatterSum(shard, mine);
          // one sum of two: rounded once
          assertThat(
                  Deviation.relative(
                      shard, expected.narrow(0, collectives.rank() * ADAPTER / 2, ADAPTER / 2)))
              .isLessThan(6e-8);
          collectives.allReduceSum(mine);
          assertThat(Deviation.relative(mine, expected)).isLessThan(6e-8);
        });
  }

  private static Tensor gradient(int rank) {
    return Tensors.normal(Tensors.empty(ScalarType.Float, ADAPTER), 1e-3, rank + 1);
  }
}
