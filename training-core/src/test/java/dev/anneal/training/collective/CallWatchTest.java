package dev.anneal.training.collective;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;

class CallWatchTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(1);

  private final BlockingQueue<CollectiveException> failures = new LinkedBlockingQueue<>();
  private volatile boolean done;

  private record Named(String name, BooleanSupplier done) implements CallWatch.Call {
    @Override
    public boolean isDone() {
      return done.getAsBoolean();
    }
  }

  @Test
  void namesTheCallThatDoesNotEndInTime() throws InterruptedException {
    try (CallWatch watch = watch(CallWatchTest::healthy)) {
      watch.begin(new Named("all_gather", () -> true));
      long start = System.nanoTime();
      watch.begin(new Named("all_reduce", () -> false));
      watch.begin(new Named("barrier", () -> false));
      assertThat(failure())
          .hasMessage(
              "Rank 3 of world waited 1 s for its peers in all_reduce: look for the first error of the other ranks.");
      assertThat(Duration.ofNanos(System.nanoTime() - start))
          .isBetween(TIMEOUT, TIMEOUT.plus(TIMEOUT));
      // once is enough
      assertThat(failures.poll(1500, TimeUnit.MILLISECONDS)).isNull();
    }
  }

  @Test
  void countsFromTheEndOfTheCallBefore() throws InterruptedException {
    try (CallWatch watch = watch(CallWatchTest::healthy)) {
      watch.begin(new Named("slow", () -> done));
      watch.begin(new Named("next", () -> false));
      Thread.sleep(700);
      done = true;
      assertThat(failures.poll(600, TimeUnit.MILLISECONDS)).isNull();
      assertThat(failure()).hasMessageContaining("in next");
    }
  }

  @Test
  void anIdleWatchWaitsForNothing() throws InterruptedException {
    try (CallWatch watch = watch(CallWatchTest::healthy)) {
      Thread.sleep(1300);
      watch.begin(new Named("late", () -> done));
      assertThat(failures.poll(500, TimeUnit.MILLISECONDS)).isNull();
      done = true;
      assertThat(failures.poll(1500, TimeUnit.MILLISECONDS)).isNull();
    }
  }

  @Test
  void tellsWhatALookThrows() throws InterruptedException {
    Runnable sick =
        () -> {
          throw new IllegalStateException("NCCL has lost a peer\nat a place");
        };
    try (CallWatch watch = watch(sick)) {
      assertThat(failure()).hasMessage("Rank 3 of world: NCCL has lost a peer");
    }
  }

  private static void healthy() {}

  private CallWatch watch(Runnable health) {
    return new CallWatch("Rank 3 of world", TIMEOUT, health, failures::add);
  }

  private CollectiveException failure() throws InterruptedException {
    CollectiveException failure = failures.poll(10, TimeUnit.SECONDS);
    assertThat(failure).isNotNull();
    return failure;
  }
}
