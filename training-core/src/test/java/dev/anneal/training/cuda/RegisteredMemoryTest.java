package dev.anneal.training.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongConsumer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** With a lock that only takes down what it is asked for. */
@ExtendWith(InTensorScope.class)
class RegisteredMemoryTest {
  private static final Device GPU = Device.gpu(0);
  private static final int STRIPE = 256 << 20;

  /** What is locked, by address; {@code refused} locks are given before one fails. */
  private static final class Recording implements PageLock {
    final ConcurrentHashMap<Long, Long> locked = new ConcurrentHashMap<>();
    final CountDownLatch unlocked = new CountDownLatch(1);
    int grants = Integer.MAX_VALUE;
    String unlockFailure;
    int locks;
    int unlocks;

    @Override
    public synchronized Optional<String> lock(Pointer start, long bytes) {
      if (locks == grants) {
        return Optional.of("out of memory");
      }
      locks++;
      assertThat(start.address() % 4096).isZero();
      assertThat(bytes % 4096).isZero();
      assertThat(locked.put(start.address(), bytes)).isNull();
      return Optional.empty();
    }

    @Override
    public synchronized Optional<String> unlock(Pointer start) {
      unlocks++;
      assertThat(locked.remove(start.address())).isNotNull();
      unlocked.countDown();
      return Optional.ofNullable(unlockFailure);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 4095, 4096, 4097, 1_000_000, 40_000_001})
  void blocksAreZerosOfExactlyTheBytesThatAreAskedFor(long bytes) {
    try (TensorScope scope = new TensorScope()) {
      // for malloc to give again
      Tensors.empty(ScalarType.Byte, bytes + 4096).fill_(Tensors.scalar(7));
    }
    try (RegisteredMemory memory = RegisteredMemory.allocate(Device.CPU, 3, bytes, 2, done -> {})) {
      assertThat(memory.bytes()).isEqualTo(3 * bytes);
      for (int i = 0; i < 3; i++) {
        Tensor block = memory.block(i);
        assertThat(Tensors.shape(block)).containsExactly(bytes);
        assertThat(bytes == 0 ? 0 : block.max().item_int()).isZero();
        block.fill_(Tensors.scalar(i + 1));
      }
      for (int i = 0; bytes > 0 && i < 3; i++) {
        assertThat(memory.block(i).min().item_int()).as("block %s", i).isEqualTo(i + 1);
        assertThat(memory.block(i).max().item_int()).as("block %s", i).isEqualTo(i + 1);
      }
    }
  }

  @Test
  void locksWholePagesOfEachBlockOnceAndFreesThemOnce() {
    Recording lock = new Recording();
    RegisteredMemory memory = RegisteredMemory.allocate(GPU, lock, 4, 5000, 2, done -> {});
    assertThat(lock.locked).hasSize(4);
    assertThat(lock.locked.values()).containsOnly(8192L);
    List<Long> starts = lock.locked.keySet().stream().sorted().toList();
    for (int i = 1; i < starts.size(); i++) {
      assertThat(starts.get(i) - starts.get(i - 1))
          .as("no page twice")
          .isGreaterThanOrEqualTo(8192);
    }
    memory.closeUnused();
    memory.closeUnused();
    memory.close();
    assertThat(lock.locked).isEmpty();
    assertThat(lock.unlocks).isEqualTo(4);
  }

  /** A GPU that there is not would throw. */
  @Test
  void noMemoryAsksNothingOfTheDevice() {
    Recording lock = new Recording();
    RegisteredMemory memory = RegisteredMemory.allocate(GPU, lock, 4, 0, 2, done -> {});
    memory.close();
    assertThat(lock.locks).isZero();
    assertThat(lock.unlocks).isZero();
  }

  @Test
  void aBlockOfManyStripesIsLockedOnceAtItsEnd() {
    Recording lock = new Recording();
    List<Long> told = new ArrayList<>();
    long bytes = STRIPE + 5L;
    RegisteredMemory memory =
        RegisteredMemory.allocate(
            GPU,
            lock,
            1,
            bytes,
            2,
            done -> {
              told.add(done);
              if (done == bytes) {
                assertThat(lock.locked).hasSize(1);
              }
            });
    assertThat(told).hasSize(2).endsWith(bytes).isSorted();
    assertThat(memory.block(0).narrow(0, STRIPE - 1, 6).max().item_int()).isZero();
    memory.closeUnused();
  }

  @Test
  void saysHowMuchTheHostHasNotAndKeepsNothing() {
    Recording lock = new Recording();
    lock.grants = 2;
    assertThatThrownBy(() -> RegisteredMemory.allocate(GPU, lock, 5, 20_000_000, 1, done -> {}))
        .isInstanceOf(PinnedMemoryException.class)
        .hasMessage("the host has no 0.10 GB of pinned memory left (out of memory after 0.04 GB)");
    assertThat(lock.locked).isEmpty();
    assertThat(lock.unlocks).isEqualTo(2);
  }

  @Test
  void saysHowMuchOrdinaryMemoryTheHostHasNot() {
    assertThatThrownBy(() -> RegisteredMemory.allocate(Device.CPU, 2, 1L << 50, 1, done -> {}))
        .isInstanceOf(PinnedMemoryException.class)
        .hasMessageStartingWith("the host has no 2251799.81 GB of memory left (");
  }

  @Test
  void whoeverHearsOfItMayEndIt() {
    Recording lock = new Recording();
    LongConsumer cancel =
        done -> {
          throw new UnsupportedOperationException("cancelled");
        };
    assertThatThrownBy(() -> RegisteredMemory.allocate(GPU, lock, 50, 1_000_000, 2, cancel))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessage("cancelled");
    assertThat(lock.locks).as("at least the one that was told").isPositive();
    assertThat(lock.locked).isEmpty();
  }

  @Test
  void memoryThatADeviceStillUsesIsFreedWhenItIsDone() throws InterruptedException {
    Recording lock = new Recording();
    RegisteredMemory memory = RegisteredMemory.allocate(GPU, lock, 1, 5000, 1, done -> {});
    AtomicBoolean done = new AtomicBoolean();
    assertThatThrownBy(() -> memory.close(done::get, Duration.ofMillis(30)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "GPU 0 still works after 0.03 s, and the 0.00 GB of pinned memory are kept until it is done");
    assertThat(lock.unlocked.await(100, TimeUnit.MILLISECONDS)).isFalse();
    assertThat(memory.block(0).max().item_int()).isZero();
    done.set(true);
    assertThat(lock.unlocked.await(10, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void memoryOfADeviceThatFailedIsKept() {
    Recording lock = new Recording();
    RegisteredMemory memory = RegisteredMemory.allocate(GPU, lock, 1, 5000, 1, done -> {});
    RuntimeException failure = new IllegalStateException("CUDA error: unspecified launch failure");
    assertThatThrownBy(
            () ->
                memory.close(
                    () -> {
                      throw failure;
                    },
                    Duration.ofSeconds(5)))
        .hasMessage(
            "GPU 0 has failed, and the 0.00 GB of pinned memory are kept until the process ends (CUDA error: unspecified launch failure)")
        .hasCause(failure);
    assertThat(lock.unlocks).isZero();
    assertThat(memory.block(0).max().item_int()).isZero();
  }

  @Test
  void saysWhatCannotBeUnlockedAndFreesTheRest() {
    Recording lock = new Recording();
    RegisteredMemory memory = RegisteredMemory.allocate(GPU, lock, 3, 5000, 1, done -> {});
    lock.unlockFailure = "it is not registered";
    assertThatThrownBy(memory::closeUnused)
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("it is not registered");
    assertThat(lock.unlocks).isEqualTo(3);
  }

  @Test
  void ranksOfAHostShareItsProcessors() {
    int processors = Runtime.getRuntime().availableProcessors();
    assertThat(RegisteredMemory.threads(1)).isEqualTo(Math.min(processors, 16));
    assertThat(RegisteredMemory.threads(processors)).isEqualTo(1);
    assertThat(RegisteredMemory.threads(1000)).isEqualTo(1);
  }
}
