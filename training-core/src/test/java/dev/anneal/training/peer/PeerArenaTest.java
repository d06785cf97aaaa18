package dev.anneal.training.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.cuda.DeviceMemoryException;
import dev.anneal.training.cuda.MappedMemory;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.ThreadRanks;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** Where tensors lie that threads read, and how long. */
@ExtendWith(InTensorScope.class)
@Timeout(60)
class PeerArenaTest {
  private static final long UNIT = HostPeerDriver.GRANULARITY;

  /** Tells what it was asked for. */
  private static class AskedDriver extends HostPeerDriver {
    final List<Long> sizes = new ArrayList<>();
    List<Integer> readers;

    AskedDriver(int rank) {
      super(rank);
    }

    @Override
    public long allocate(long bytes, List<Integer> readers) throws NoPeerAccessException {
      sizes.add(bytes);
      this.readers = readers;
      return super.allocate(bytes, readers);
    }
  }

  private interface Work {
    void run(PeerArena arena, AskedDriver driver, MappedMemory mapped);
  }

  /** As each of three threads. */
  private static void inThreads(IntFunction<AskedDriver> drivers, Work work) {
    ThreadRanks.run(
        3,
        rank -> {
          AskedDriver driver = drivers.apply(rank.rank());
          MappedMemory mapped = new MappedMemory();
          work.run(PeerArena.open(rank, Device.CPU, driver, mapped), driver, mapped);
          assertThat(driver.held()).as("allocated").isZero();
          assertThat(mapped.bytes()).as("counted").isZero();
          return null;
        });
  }

  @Test
  void tensorsLieApartInWholeUnitsAndFillWhatIsLeft() {
    inThreads(
        AskedDriver::new,
        (arena, driver, mapped) -> {
          List<Tensor> layers = arena.take(3, 2000);
          Tensor small = arena.take(1, 8).get(0);
          Tensor large = arena.take(1, 2 * UNIT).get(0);
          assertThat(arena.take(2, 0)).allMatch(empty -> empty.nbytes() == 0);
          // 3 x 2,048 bytes leave room for the small one
          assertThat(driver.sizes).containsExactly(2 * UNIT, 2 * UNIT);
          assertThat(address(layers.get(1)) - address(layers.get(0))).isEqualTo(2048);
          assertThat(address(layers.get(2)) - address(layers.get(0))).isEqualTo(4096);
          assertThat(address(small) - address(layers.get(0))).isEqualTo(6144);
          assertThat(address(layers.get(0)) % 512).isZero();
          assertThat(layers.get(0).nbytes()).isEqualTo(2000);
          assertThat(large.nbytes()).isEqualTo(2 * UNIT);
          layers.forEach(layer -> layer.fill_(Tensors.scalar(7)));
          small.zero_();
          assertThat(layers.get(2).to(small.scalar_type()).min().item_int()).isEqualTo(7);
          assertThat(arena.mappedBytes()).isEqualTo(4 * UNIT);
          assertThat(mapped.bytes()).isEqualTo(4 * UNIT);
          arena.close();
          arena.close();
          assertThat(mapped.peakBytes()).isEqualTo(4 * UNIT);
        });
  }

  @Test
  void theOthersAreTheReaders() {
    ThreadRanks.run(
        3,
        rank -> {
          AskedDriver driver = new AskedDriver(rank.rank());
          try (PeerArena arena = PeerArena.open(rank, Device.CPU, driver, new MappedMemory())) {
            arena.take(1, 1);
            List<Integer> others = new ArrayList<>(List.of(0, 1, 2));
            others.remove(rank.rank());
            assertThat(driver.readers).isEqualTo(others);
          }
          return null;
        });
  }

  @Test
  void processesTakeLibtorchsMemory() {
    ThreadRanks.run(
        2,
        rank -> {
          PeerIdentity identity = new PeerIdentity("host", "p" + rank.rank(), 0, "d" + rank.rank());
          HostPeerDriver driver = new HostPeerDriver(identity);
          try (PeerArena arena = PeerArena.open(rank, Device.CPU, driver, new MappedMemory())) {
            assertThat(arena.take(2, 100)).allMatch(tensor -> tensor.nbytes() == 100);
            assertThat(driver.isAllocated()).isFalse();
          }
          return null;
        });
  }

  /** What has been given so far stays; what comes is libtorch's. */
  @Test
  void oneRefusalIsRememberedUntilTensorsAreShared() {
    inThreads(
        rank ->
            new AskedDriver(rank) {
              @Override
              public long allocate(long bytes, List<Integer> readers) throws NoPeerAccessException {
                if (sizes.size() == 1) {
                  throw new NoPeerAccessException("it cannot be mapped");
                }
                return super.allocate(bytes, readers);
              }
            },
        (arena, driver, mapped) -> {
          Tensor first = arena.take(1, UNIT).get(0);
          Tensor second = arena.take(1, UNIT).get(0);
          first.copy_(second.fill_(Tensors.scalar(3)));
          assertThatThrownBy(arena::requireReadable).hasMessage("it cannot be mapped");
          assertThat(mapped.bytes()).isEqualTo(UNIT);
          arena.close();
        });
  }

  @Test
  void memoryThatIsNotThereEndsTheRank() {
    inThreads(
        rank ->
            new AskedDriver(rank) {
              @Override
              public long allocate(long bytes, List<Integer> readers) throws NoPeerAccessException {
                if (sizes.size() == 1) {
                  throw new DeviceMemoryException(bytes, "weights");
                }
                return super.allocate(bytes, readers);
              }
            },
        (arena, driver, mapped) -> {
          arena.take(1, UNIT);
          assertThatThrownBy(() -> arena.take(1, 2_000_000_000L))
              .isInstanceOf(DeviceMemoryException.class)
              .hasMessage("CUDA out of memory. There are no 2.00 GB left for weights.");
          arena.close();
        });
  }

  @Test
  void staysUntilNobodyReadsIt() {
    inThreads(
        AskedDriver::new,
        (arena, driver, mapped) -> {
          AtomicBoolean read = new AtomicBoolean(true);
          arena.keepUntil(() -> !read.get());
          arena.take(1, 5_000_000);
          assertThatThrownBy(() -> arena.close(Duration.ofMillis(20)))
              .isInstanceOf(IllegalStateException.class)
              .hasMessage(
                  "CPU still works after 0.02 s, and the 0.01 GB that other ranks read are kept"
                      + " until it is done");
          assertThat(driver.isAllocated()).isTrue();
          read.set(false);
          long start = System.nanoTime();
          while (mapped.bytes() > 0 && System.nanoTime() - start < 10_000_000_000L) {
            Thread.onSpinWait();
          }
        });
  }

  private static long address(Tensor tensor) {
    return tensor.data_ptr().address();
  }
}
