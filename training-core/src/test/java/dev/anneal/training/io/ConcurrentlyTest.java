package dev.anneal.training.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ConcurrentlyTest {
  private static final List<Integer> ITEMS = IntStream.range(0, 100).boxed().toList();

  @Test
  void doesAllWithSoManyAtATime() throws Exception {
    Set<Integer> done = ConcurrentHashMap.newKeySet();
    AtomicInteger busy = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();
    CountDownLatch four = new CountDownLatch(4);
    Concurrently.forEach(
        ITEMS,
        4,
        item -> {
          most.accumulateAndGet(busy.incrementAndGet(), Math::max);
          four.countDown();
          await(four);
          done.add(item);
          busy.decrementAndGet();
        });
    assertThat(done).hasSameSizeAs(ITEMS);
    assertThat(most.get()).isEqualTo(4);
  }

  @Test
  void theFirstFailureInTheirOrderIsThrownWhenNobodyIsAtWork() {
    AtomicInteger busy = new AtomicInteger();
    AtomicInteger begun = new AtomicInteger();
    CountDownLatch laterOneHasFailed = new CountDownLatch(1);
    assertThatThrownBy(
            () ->
                Concurrently.forEach(
                    ITEMS,
                    3,
                    item -> {
                      begun.incrementAndGet();
                      busy.incrementAndGet();
                      try {
                        if (item == 1) {
                          laterOneHasFailed.countDown();
                          throw new IllegalStateException("item 1");
                        }
                        await(laterOneHasFailed);
                        if (item == 0) {
                          throw new IOException("item 0");
                        }
                        Thread.sleep(100);
                      } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                      } finally {
                        busy.decrementAndGet();
                      }
                    }))
        .isInstanceOf(IOException.class)
        .hasMessage("item 0");
    assertThat(busy.get()).isZero();
    assertThat(begun.get()).isLessThan(ITEMS.size());
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
