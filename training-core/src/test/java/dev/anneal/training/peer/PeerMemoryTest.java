package dev.anneal.training.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.collective.PeerWaits;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.cuda.MappedMemory;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.ThreadRanks;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ranks that read each other's memory, in the memory of this process. */
@ExtendWith(InTensorScope.class)
@Timeout(60)
class PeerMemoryTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"2, one", "3, one", "3, several", "5, several"})
  void aPullGivesThePartsOfAllRanks(int size, String processes) {
    ThreadRanks.run(
        size,
        rank -> {
          HostPeerDriver driver =
              processes.equals("one") ? new HostPeerDriver(rank.rank()) : apart(rank.rank());
          try (PeerArena arena = arena(rank, driver);
              PeerMemory memory =
                  share(
                      rank,
                      arena,
                      List.of(
                          numbers(arena, rank.rank(), 7),
                          arena.take(1, 0).get(0),
                          numbers(arena, 100 + rank.rank(), 3)));
              CudaStream stream = CudaStream.of(Device.CPU)) {
            assertThat(arena.mappedBytes() > 0).isEqualTo(processes.equals("one"));
            Tensor whole = Tensors.zeros(ScalarType.Long, size * 3L);
            memory.pull(2, whole, stream);
            for (int peer = 0; peer < size; peer++) {
              assertThat(whole.narrow(0, peer * 3L, 3).equal(numbers(100 + peer, 3))).isTrue();
            }
            assertThatThrownBy(() -> memory.pull(0, whole, stream))
                .isInstanceOf(IllegalArgumentException.class);
          }
          assertThat(driver.held()).as("opened and mapped").isZero();
          assertThat(rank.waits()).isNull();
          return null;
        });
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void everyRankBeginsWithAnotherAndEndsWithItself() {
    ThreadRanks.run(
        3,
        rank -> {
          try (PeerArena arena = arena(rank, new HostPeerDriver(rank.rank()));
              PeerMemory memory = share(rank, arena, List.of())) {
            int mine = rank.rank();
            assertThat(memory.inRing(0)).isEqualTo((mine + 1) % 3);
            assertThat(memory.inRing(1)).isEqualTo((mine + 2) % 3);
            assertThat(memory.inRing(2)).isEqualTo(mine);
          }
          return null;
        });
  }

  @Test
  void ranksOnTwoHostsHearOfItAlike() {
    assertRefused(
        rank -> new HostPeerDriver(new PeerIdentity("host " + rank / 2, "p", rank, "d" + rank)),
        "ranks 0 and 2 are on different hosts");
  }

  @Test
  void ranksOfOneDeviceHearOfItAlike() {
    assertRefused(
        rank -> new HostPeerDriver(new PeerIdentity("host", "p", rank % 2, "d" + rank % 2)),
        "ranks 0 and 2 share a device");
  }

  /** Their streams share no queue. */
  @Test
  void processesMayShareADevice() {
    ThreadRanks.run(
        2,
        rank -> {
          PeerIdentity identity = new PeerIdentity("host", "p" + rank.rank(), 0, "d");
          try (PeerArena arena = arena(rank, new HostPeerDriver(identity));
              PeerMemory memory = share(rank, arena, List.of())) {
            assertThat(memory.size()).isEqualTo(2);
          }
          return null;
        });
  }

  @Test
  void oneThatCannotBeReachedIsEnough() {
    assertRefused(
        rank ->
            new HostPeerDriver(rank) {
              @Override
              public long allocate(long bytes, List<Integer> readers) throws NoPeerAccessException {
                if (rank == 1 && readers.contains(2)) {
                  throw new NoPeerAccessException("GPU 2 cannot read the memory of GPU 1");
                }
                return super.allocate(bytes, readers);
              }
            },
        "rank 1: GPU 2 cannot read the memory of GPU 1");
  }

  /** Handles of both kinds at once there are none. */
  @Test
  void threadsAndProcessesAtOnceHearOfItAlike() {
    assertRefused(
        rank -> new HostPeerDriver(new PeerIdentity("host", "p" + rank / 2, rank, "d" + rank)),
        "rank 0: some of the ranks are threads of one process, and others are not");
  }

  @Test
  void threadsWithOrdinaryMemoryHearOfItAlike() {
    ThreadRanks.run(
        2,
        rank -> {
          HostPeerDriver driver = new HostPeerDriver(rank.rank());
          PeerArena ordinary = PeerArena.ordinary(Device.CPU, driver, "they are threads");
          assertThatThrownBy(() -> share(rank, ordinary, ordinary.take(1, 8)))
              .isInstanceOf(NoPeerAccessException.class)
              .hasMessage("rank 0: they are threads");
          return null;
        });
  }

  @Test
  void oneHandleThatDoesNotOpenIsEnough() {
    assertRefused(
        rank ->
            new HostPeerDriver(apartIdentity(rank)) {
              @Override
              public long open(byte[] handle) throws NoPeerAccessException {
                if (rank == 2) {
                  throw new NoPeerAccessException("it does not open");
                }
                return super.open(handle);
              }
            },
        "rank 2: it does not open");
  }

  @Test
  void aPageThatCannotBeMappedIsEnough() {
    assertRefused(
        rank ->
            new HostPeerDriver(rank) {
              @Override
              public long map(ByteBuffer memory) throws NoPeerAccessException {
                if (rank == 0) {
                  throw new NoPeerAccessException("it cannot be page-locked");
                }
                return super.map(memory);
              }
            },
        "rank 0: it cannot be page-locked");
  }

  @Test
  void aDeviceThatReadsSomethingElseIsEnough() {
    Tensor nothing = Tensors.zeros(ScalarType.Long, 8);
    assertRefused(
        rank ->
            new HostPeerDriver(rank) {
              @Override
              public CopyStream on(CudaStream stream) {
                CopyStream honest = super.on(stream);
                if (rank != 1) {
                  return honest;
                }
                return new ForwardingCopies(honest) {
                  @Override
                  public void copy(long to, long from, long bytes) {
                    super.copy(to, nothing.data_ptr().address(), bytes);
                  }
                };
              }
            },
        "rank 1: what it reads of rank 0 is not what lies there");
  }

  @Test
  void aFolderThatIsNotThereIsEnough() {
    folder = folder.resolve("none");
    ThreadRanks.run(
        2,
        rank -> {
          assertThat(refusal(rank, new HostPeerDriver(rank.rank())))
              .startsWith("rank 0: there is no shared page in " + folder);
          return null;
        });
  }

  /** All of three ranks are told the same, and nothing stays. */
  private void assertRefused(IntFunction<HostPeerDriver> drivers, String why) {
    ThreadRanks.run(
        3,
        rank -> {
          HostPeerDriver driver = drivers.apply(rank.rank());
          assertThat(refusal(rank, driver)).isEqualTo(why);
          assertThat(driver.held()).as("opened and mapped").isZero();
          assertThat(rank.waits()).isNull();
          return null;
        });
    assertThat(folder).isEmptyDirectory();
  }

  private String refusal(ThreadRanks.Rank rank, HostPeerDriver driver) {
    try (PeerArena arena = arena(rank, driver)) {
      return catchThrowableOfType(
              NoPeerAccessException.class, () -> share(rank, arena, List.of(numbers(arena, 0, 4))))
          .getMessage();
    }
  }

  /** Rank 1 leaves with an exception, while a stream of rank 0 waits for it. */
  @Test
  void aRankThatLeavesFreesWhoWaitsForIt() {
    CountDownLatch closed = new CountDownLatch(1);
    ThreadRanks.run(
        2,
        rank -> {
          HostPeerDriver driver = new HostPeerDriver(rank.rank());
          PeerArena arena = arena(rank, driver);
          PeerMemory memory = share(rank, arena, List.of(numbers(arena, 0, 4)));
          PeerWaits waits = rank.waits();
          CopyStream stream = memory.on(null);
          int number = memory.next();
          if (rank.rank() == 1) {
            assertThat(waits.areVoid()).isFalse();
            memory.close();
            assertThat(waits.areVoid()).as("its peer is still there").isTrue();
            // not only with its group: what it does before that may wait for its peer's streams
            assertThat(waits.areEnded()).as("its peer is freed").isTrue();
            assertThatThrownBy(() -> arena.close(Duration.ZERO))
                .hasMessageContaining("kept until it is done");
            assertThat(driver.isAllocated()).as("its peer may still read").isTrue();
            closed.countDown();
          } else {
            stream.await(memory.ready(1), number);
            assertThat(waits.areEnded()).isTrue();
            assertThat(waits.areVoid()).isTrue();
            // as its own group does that sees it
            waits.release();
            // a stream that goes on writes over what freed it, and others wait for the same word
            stream.write(memory.ready(1), 0);
            stream.await(memory.ready(1), number);
            assertThat(closed.await(30, TimeUnit.SECONDS)).isTrue();
            memory.close();
            arena.close();
          }
          long start = System.nanoTime();
          while (driver.held() > 0 && System.nanoTime() - start < 10_000_000_000L) {
            Thread.onSpinWait();
          }
          assertThat(driver.held()).as("opened and mapped").isZero();
          return null;
        });
  }

  /** A group that has ended does not let its ranks wait for each other. */
  @Test
  void whoLeavesAfterTheEndDoesNotWait() {
    ThreadRanks.run(
        2,
        rank -> {
          PeerArena arena = arena(rank, new HostPeerDriver(rank.rank()));
          PeerMemory memory = share(rank, arena, List.of(numbers(arena, 0, 4)));
          if (rank.rank() == 0) {
            rank.waits().release();
            long start = System.nanoTime();
            memory.close();
            assertThat(System.nanoTime() - start).isLessThan(2_000_000_000L);
          }
          return null;
        });
  }

  private PeerMemory share(ThreadRanks.Rank rank, PeerArena arena, List<Tensor> tensors)
      throws NoPeerAccessException {
    return new Introduction(rank, arena, folder).share(tensors);
  }

  private static PeerArena arena(ThreadRanks.Rank rank, PeerDriver driver) {
    return PeerArena.open(rank, Device.CPU, driver, new MappedMemory());
  }

  private static Tensor numbers(PeerArena arena, int first, int count) {
    Tensor values = numbers(first, count);
    Tensor shared = arena.take(1, values.nbytes()).get(0).view(ScalarType.Long);
    shared.copy_(values);
    return shared;
  }

  private static HostPeerDriver apart(int rank) {
    return new HostPeerDriver(apartIdentity(rank));
  }

  private static PeerIdentity apartIdentity(int rank) {
    return new PeerIdentity("a host", "process " + rank, 0, "device " + rank);
  }

  private static Tensor numbers(int first, int count) {
    long[] values = new long[count];
    for (int i = 0; i < count; i++) {
      values[i] = 1000L * first + i;
    }
    return Tensors.of(values);
  }
}
