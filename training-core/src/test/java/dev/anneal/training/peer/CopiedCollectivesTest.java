package dev.anneal.training.peer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.cuda.MappedMemory;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.ThreadRanks;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sums and gathers by copies, in the memory of this process. */
@ExtendWith(InTensorScope.class)
@Timeout(60)
class CopiedCollectivesTest {
  private static final int PART = 24;
  private static final int ROUNDS = 6;

  /** What a rank does with two rooms of as many parts as there are ranks. */
  private interface Work {
    void run(CopiedCollectives copies, List<Tensor> rooms, int rank) throws Exception;
  }

  @ParameterizedTest
  @CsvSource({"2, false", "2, true", "3, false", "3, true", "5, false", "5, true"})
  void partsAreAddedInTheOrderOfTheRanks(int size, boolean inPlace) {
    onRanks(
        size,
        (copies, rooms, rank) -> {
          for (int round = 0; round < ROUNDS; round++) {
            // a bucket that is smaller than its room, and one that fills it
            long part = round % 3 == 0 ? PART / 3 : PART;
            Tensor whole = rooms.get(round % 2).narrow(0, 0, size * part);
            whole.copy_(values(rank, round, size * part));
            Tensor shard =
                inPlace
                    ? whole.narrow(0, rank * part, part)
                    : Tensors.zeros(ScalarType.Float, part);
            copies.reduceScatterSum(shard, whole);
            Tensor expected = values(0, round, size * part).narrow(0, rank * part, part);
            for (int other = 1; other < size; other++) {
              expected.add_(values(other, round, size * part).narrow(0, rank * part, part));
            }
            assertThat(shard.equal(expected)).as("round %s", round).isTrue();
          }
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 5})
  void shardsComeTogether(int size) {
    onRanks(
        size,
        (copies, rooms, rank) -> {
          for (int round = 0; round < ROUNDS; round++) {
            Tensor shard = rooms.get(1).narrow(0, round, PART);
            shard.copy_(values(rank, round, PART));
            Tensor whole = Tensors.zeros(ScalarType.Float, (long) size * PART);
            copies.allGatherInto(whole, shard);
            for (int peer = 0; peer < size; peer++) {
              assertThat(whole.narrow(0, (long) peer * PART, PART).equal(values(peer, round, PART)))
                  .as("round %s, rank %s", round, peer)
                  .isTrue();
            }
          }
        });
  }

  /** Rank 1 reads long after the others: what it reads is still there. */
  @Test
  void nobodyWritesWhatAPeerHasYetToRead() {
    onRanks(
        3,
        rank ->
            new HostPeerDriver(rank) {
              @Override
              public CopyStream on(CudaStream stream) {
                return rank == 1 ? late(super.on(stream)) : super.on(stream);
              }
            },
        (copies, rooms, rank) -> {
          for (int round = 0; round < ROUNDS; round++) {
            Tensor whole = rooms.get(0);
            whole.fill_(Tensors.scalar(1 + round + rank));
            Tensor shard = Tensors.zeros(ScalarType.Float, PART);
            copies.reduceScatterSum(shard, whole);
            whole.fill_(Tensors.scalar(-1000));
            assertThat(shard.equal(full(3 * round + 6, PART))).as("sum %s", round).isTrue();

            Tensor mine = rooms.get(1).narrow(0, 0, PART);
            mine.fill_(Tensors.scalar(1 + round + rank));
            Tensor all = Tensors.zeros(ScalarType.Float, 3 * PART);
            copies.allGatherInto(all, mine);
            mine.fill_(Tensors.scalar(-1000));
            for (int peer = 0; peer < 3; peer++) {
              assertThat(
                      all.narrow(0, (long) peer * PART, PART).equal(full(1 + round + peer, PART)))
                  .as("gather %s of rank %s", round, peer)
                  .isTrue();
            }
          }
        });
  }

  @Test
  void whatPeersDoNotReadIsRefused() {
    onRanks(
        2,
        (copies, rooms, rank) -> {
          Tensor elsewhere = Tensors.zeros(ScalarType.Float, 2 * PART);
          Tensor shard = Tensors.zeros(ScalarType.Float, PART);
          assertThatThrownBy(() -> copies.reduceScatterSum(shard, elsewhere))
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessage("peers do not read what lies there");
          assertThatThrownBy(() -> copies.allGatherInto(elsewhere, shard))
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessage("peers do not read what lies there");
          Tensor large = Tensors.zeros(ScalarType.Float, PART + 1);
          assertThatThrownBy(() -> copies.reduceScatterSum(large, rooms.get(0)))
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessage("a part of 100 bytes is larger than 96");
        });
  }

  private static void onRanks(int size, Work work) {
    onRanks(size, HostPeerDriver::new, work);
  }

  private static void onRanks(int size, IntFunction<HostPeerDriver> drivers, Work work) {
    ThreadRanks.run(
        size,
        rank -> {
          HostPeerDriver driver = drivers.apply(rank.rank());
          try (TensorScope scope = new TensorScope();
              PeerArena arena = PeerArena.open(rank, Device.CPU, driver, new MappedMemory());
              CudaStream stream = CudaStream.of(Device.CPU)) {
            long bytes = (long) size * PART * Float.BYTES;
            List<Tensor> rooms =
                arena.take(2, bytes).stream().map(room -> room.view(ScalarType.Float)).toList();
            try (CopiedCollectives copies =
                CopiedCollectives.share(rank, arena, rooms, stream, PART)) {
              work.run(copies, rooms, rank.rank());
            }
          }
          assertThat(driver.held()).as("opened, mapped and allocated").isZero();
          return null;
        });
  }

  private static CopyStream late(CopyStream copies) {
    return new ForwardingCopies(copies) {
      @Override
      public void copy(long to, long from, long bytes) {
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        super.copy(to, from, bytes);
      }
    };
  }

  private static Tensor values(int rank, int round, long count) {
    return Tensors.normal(Tensors.empty(ScalarType.Float, count), 1, 100L * round + rank);
  }

  private static Tensor full(double value, long count) {
    return Tensors.zeros(ScalarType.Float, count).fill_(Tensors.scalar(value));
  }
}
