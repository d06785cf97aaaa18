package dev.anneal.spark.tracking;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.Logger;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.Configurator;
import org.apache.logging.log4j.core.config.Property;
import org.junit.jupiter.api.Test;

class TrackerThreadTest {
  private static final RunEnd SUCCEEDED = new RunEnd(RunEnd.State.SUCCEEDED, null);
  private static final Duration INTERVAL = Duration.ofMillis(5);

  private final List<String> said = new CopyOnWriteArrayList<>();
  private final Recorded tracker = new Recorded();

  @Test
  void bringsTheLastLinesBeforeItTellsOfTheEnd() {
    TrackerThread thread = new TrackerThread(tracker, INTERVAL, said::add, text -> text);
    end(thread, Duration.ofSeconds(10));
    assertThat(tracker.calls).endsWith("update", "end SUCCEEDED");
    assertThat(said).isEmpty();
  }

  @Test
  void saysOnceThatAPlaceIsAwayAndGoesOnTrying() throws Exception {
    tracker.failures.set(Integer.MAX_VALUE);
    TrackerThread thread = new TrackerThread(tracker, INTERVAL, said::add, text -> text);
    assertThat(tracker.awaitCalls(4)).isTrue();
    assertThat(said)
        .containsExactly("It cannot be reached now (away): the run goes on, and tries again.");
    tracker.failures.set(0);
    end(thread, Duration.ofSeconds(10));
    assertThat(tracker.calls).endsWith("end SUCCEEDED");
    assertThat(said).hasSize(1);
  }

  @Test
  void aPlaceThatStaysAwayHoldsUpTheEndForNoLongerThanItMay() {
    tracker.failures.set(Integer.MAX_VALUE);
    TrackerThread thread = new TrackerThread(tracker, INTERVAL, said::add, text -> text);
    long start = System.nanoTime();
    end(thread, Duration.ofMillis(300));
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    assertThat(tracker.calls).doesNotContain("end SUCCEEDED");
    assertThat(said)
        .hasSize(2)
        .last()
        .isEqualTo("It has not got everything in time: what is missing lies in the output folder.");
  }

  @Test
  void aPlaceThatHangsHoldsUpTheEndForNoLongerThanItMay() throws Exception {
    tracker.hangs = true;
    TrackerThread thread = new TrackerThread(tracker, INTERVAL, said::add, text -> text);
    assertThat(tracker.awaitCalls(1)).isTrue();
    long start = System.nanoTime();
    end(thread, Duration.ofMillis(300));
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    assertThat(said).singleElement().asString().contains("has not got everything in time");
  }

  @Test
  void oneThatRefusesIsLeftAlone() throws Exception {
    tracker.refusal = "403";
    TrackerThread thread = new TrackerThread(tracker, INTERVAL, said::add, text -> text);
    assertThat(tracker.awaitCalls(1)).isTrue();
    end(thread, Duration.ofSeconds(10));
    assertThat(tracker.calls).containsExactly("update");
    assertThat(said).containsExactly("It takes nothing (403): the run goes on without it.");
  }

  @Test
  void anErrorOfItsOwnEndsNothingElse() throws Exception {
    tracker.error = new IllegalStateException("a fault");
    TrackerThread thread = new TrackerThread(tracker, INTERVAL, said::add, text -> text);
    assertThat(tracker.awaitCalls(1)).isTrue();
    end(thread, Duration.ofSeconds(10));
    assertThat(said).containsExactly("It has failed (a fault): the run goes on without it.");
  }

  @Test
  void theLogHasItsErrorWithoutSecretsAndWithoutItsStack() throws Exception {
    tracker.error = new IllegalArgumentException("invalid header value: \"Bearer hunter2\"");
    List<LogEvent> logged = new CopyOnWriteArrayList<>();
    Logger logger = (Logger) LogManager.getLogger(TrackerThread.class);
    AbstractAppender appender =
        new AbstractAppender("list", null, null, true, Property.EMPTY_ARRAY) {
          @Override
          public void append(LogEvent event) {
            logged.add(event.toImmutable());
          }
        };
    appender.start();
    Level before = logger.getLevel();
    Configurator.setLevel(logger, Level.WARN);
    logger.addAppender(appender);
    try {
      TrackerThread thread =
          new TrackerThread(tracker, INTERVAL, said::add, text -> text.replace("hunter2", "***"));
      assertThat(tracker.awaitCalls(1)).isTrue();
      end(thread, Duration.ofSeconds(10));
    } finally {
      logger.removeAppender(appender);
      Configurator.setLevel(logger, before);
    }
    assertThat(logged).hasSize(1);
    assertThat(logged.get(0).getMessage().getFormattedMessage())
        .isEqualTo(
            "It has failed: java.lang.IllegalArgumentException: invalid header value: \"Bearer ***\"");
    assertThat(logged.get(0).getThrown()).isNull();
  }

  private static void end(TrackerThread thread, Duration patience) {
    thread.end(SUCCEEDED);
    long deadline = System.nanoTime() + patience.toNanos();
    thread.await(deadline, deadline);
  }

  /** Does what a test says. */
  private static final class Recorded implements Tracker {
    private final List<String> calls = new CopyOnWriteArrayList<>();
    private final AtomicInteger failures = new AtomicInteger();
    private volatile String refusal;
    private volatile RuntimeException error;
    private volatile boolean hangs;

    @Override
    public String name() {
      return "It";
    }

    @Override
    public void update() throws IOException, InterruptedException {
      calls.add("update");
      if (hangs) {
        new CountDownLatch(1).await();
      }
      if (error != null) {
        throw error;
      }
      if (refusal != null) {
        throw new Refusal(refusal);
      }
      if (failures.get() > 0) {
        failures.decrementAndGet();
        throw new IOException("away");
      }
    }

    @Override
    public void end(RunEnd end) {
      calls.add("end " + end.state());
    }

    boolean awaitCalls(int count) throws InterruptedException {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      while (calls.size() < count && System.nanoTime() < deadline) {
        Thread.sleep(5);
      }
      return calls.size() >= count;
    }
  }
}
