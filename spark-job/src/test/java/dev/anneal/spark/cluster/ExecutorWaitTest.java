package dev.anneal.spark.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class ExecutorWaitTest {
  private final List<Integer> waited = new ArrayList<>();

  @Test
  void doesNotCountTheOneThatIsReplaced() throws InterruptedException {
    AtomicInteger looks = new AtomicInteger();
    // Spark counts the hung one until it has ended, and then the new one comes
    ExecutorWait wait =
        new ExecutorWait(
            () ->
                switch (looks.getAndIncrement()) {
                  case 0, 1, 2 -> Set.of("0", "1");
                  case 3 -> Set.of("0");
                  default -> Set.of("0", "2");
                },
            Set.of("1"));
    wait.until(2, Duration.ofMinutes(5), () -> true, waited::add);
    assertThat(waited).containsExactly(1);
    assertThat(looks.get()).isGreaterThan(4);
  }

  @Test
  void takesAnotherThatIsThereBeforeTheHungOneIsGone() throws InterruptedException {
    new ExecutorWait(() -> Set.of("0", "1", "2"), Set.of("1"))
        .until(2, Duration.ofMinutes(5), () -> true, waited::add);
    assertThat(waited).isEmpty();
  }

  @Test
  void endsWhereNoneComes() throws InterruptedException {
    new ExecutorWait(() -> Set.of("1"), Set.of("1"))
        .until(1, Duration.ofMillis(300), () -> true, waited::add);
    new ExecutorWait(Set::of, Set.of()).until(1, Duration.ofMinutes(5), () -> false, waited::add);
    assertThat(waited).containsExactly(0, 0);
  }
}
