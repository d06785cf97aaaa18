package dev.anneal.spark.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GlooCollectives;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.spark.TaskKilledException;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Ranks of one node as threads of this process, which talk Gloo. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class RankThreadsTest {
  private static final String HOST = "127.0.0.1";
  private static final Duration LONG = Duration.ofMinutes(10);
  private static final Duration GRACE = Duration.ofSeconds(5);

  private final List<String> reports = Collections.synchronizedList(new ArrayList<>());
  private final AtomicBoolean cancelled = new AtomicBoolean();

  private interface Rank {
    void run(Collectives world) throws Exception;
  }

  @Test
  void numbersRanksAndWaitsForAll() throws Exception {
    List<Integer> ranks = Collections.synchronizedList(new ArrayList<>());
    ClassLoader classes = Thread.currentThread().getContextClassLoader();
    threads()
        .run(
            6,
            3,
            (rank, all) -> {
              assertThat(Thread.currentThread().getContextClassLoader()).isSameAs(classes);
              Thread.sleep(100L * (9 - rank));
              ranks.add(rank);
            });
    assertThat(ranks).containsExactly(8, 7, 6);
    assertThat(reports).isEmpty();
  }

  @Test
  void theFirstFailureFreesTheOthersAndIsTheOneThatIsTold() {
    assertThatThrownBy(
            () ->
                together(
                    world -> {
                      if (world.rank() == 1) {
                        throw new IllegalStateException("out of memory");
                      }
                      // would wait for ten minutes
                      world.allReduceSum(Tensors.ones(Device.CPU, ScalarType.Float, 1));
                    }))
        .hasMessage("out of memory");
    assertThat(reports).containsExactly("rank 1: out of memory");
  }

  @Test
  void ranksOfATaskThatIsKilledLeaveAndBlameNobody() {
    assertThatThrownBy(
            () ->
                together(
                    world -> {
                      if (world.rank() == 1) {
                        cancelled.set(true);
                        return;
                      }
                      world.allReduceSum(Tensors.ones(Device.CPU, ScalarType.Float, 1));
                    }))
        .isInstanceOf(TaskKilledException.class);
    assertThat(reports).isEmpty();
  }

  @Test
  void aRankThatHangsIsLeftBehind() {
    CountDownLatch never = new CountDownLatch(1);
    long start = System.nanoTime();
    assertThatThrownBy(
            () ->
                threads()
                    .run(
                        0,
                        2,
                        (rank, all) -> {
                          if (rank == 0) {
                            throw new IllegalStateException("disk full");
                          }
                          never.await();
                        }))
        .hasMessage("disk full");
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(GRACE, GRACE.multipliedBy(2));
    never.countDown();
  }

  @Test
  void aGroupThatIsJoinedTooLateIsLeftAtOnce() throws Exception {
    CountDownLatch failed = new CountDownLatch(1);
    AbortedFlag group = new AbortedFlag();
    assertThatThrownBy(
            () ->
                threads()
                    .run(
                        0,
                        2,
                        (rank, all) -> {
                          if (rank == 0) {
                            failed.countDown();
                            throw new IllegalStateException("disk full");
                          }
                          failed.await();
                          Thread.sleep(1000);
                          all.joined(group.collectives());
                        }))
        .hasMessage("disk full");
    assertThat(group.aborted()).isTrue();
  }

  private RankThreads threads() {
    return new RankThreads(
        cancelled::get, (rank, e) -> reports.add("rank " + rank + ": " + e.getMessage()), GRACE);
  }

  /** Two ranks in one group. */
  private void together(Rank work) throws Exception {
    try (RendezvousStore store = RendezvousStore.serve(HOST, LONG);
        RendezvousStore other = RendezvousStore.connect(store.address(), LONG)) {
      threads()
          .run(
              0,
              2,
              (rank, all) -> {
                RendezvousStore mine = rank == 0 ? store : other;
                try (Collectives world =
                        all.joined(
                            GlooCollectives.join(mine, HOST, rank, 2, Duration.ofSeconds(20)));
                    TensorScope scope = new TensorScope()) {
                  try {
                    work.run(world);
                  } catch (Exception e) {
                    all.failed(rank, e);
                    throw e;
                  }
                }
              });
    }
  }
}
