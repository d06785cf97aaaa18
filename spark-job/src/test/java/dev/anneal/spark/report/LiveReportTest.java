package dev.anneal.spark.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LiveReportTest {
  @TempDir Path dir;

  private final MetricsLog log = new MetricsLog();
  private final ObjectNode record = WrittenRun.JSON.createObjectNode().put("state", "running");

  @Test
  void thePageFollowsTheRunToItsEnd() throws Exception {
    try (LiveReport report = report(folder(), this::view)) {
      report.schedule(0);
      await("Nothing is measured yet", "step 0");
      log.step(WrittenRun.step(1));
      await("step 1<", "step 1<");
      record.put("state", "succeeded").put("ended_at", Instant.now().toString());
      report.ended();
      assertThat(html()).contains(">succeeded<").doesNotContain("\"running\":true");
    }
  }

  @Test
  void aStoreThatRefusesIsAskedAgainAndNobodyElseHearsOfIt() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    RunFolder refusing =
        folder()
            .guardedBy(
                () -> {
                  if (asked.incrementAndGet() < 3) {
                    throw new IOException("it is away");
                  }
                });
    try (LiveReport report = report(refusing, this::view)) {
      report.schedule(0);
      await("step 0", "step 0");
      assertThat(asked.get()).isGreaterThanOrEqualTo(3);
    }
  }

  @Test
  void whateverGoesWrongWithTheViewIsNoFailureOfTheRun() {
    AtomicInteger asked = new AtomicInteger();
    try (LiveReport report =
        report(
            folder(),
            () -> {
              asked.incrementAndGet();
              throw new LinkageError("no tokenizer here");
            })) {
      report.schedule(0);
      report.ended();
    }
    assertThat(asked.get()).isPositive();
    assertThat(dir.resolve("report.html")).doesNotExist();
  }

  @Test
  void aStoreThatHangsHoldsUpNobodyWhoTrains() throws Exception {
    CountDownLatch away = new CountDownLatch(1);
    CountDownLatch back = new CountDownLatch(1);
    RunFolder hanging =
        folder()
            .guardedBy(
                () -> {
                  away.countDown();
                  try {
                    back.await();
                  } catch (InterruptedException e) {
                    throw new IOException(e);
                  }
                });
    LiveReport report = report(hanging, this::view);
    report.schedule(0);
    assertThat(away.await(20, TimeUnit.SECONDS)).isTrue();
    long began = System.nanoTime();
    for (int step = 1; step <= 1000; step++) {
      log.step(WrittenRun.step(step));
    }
    assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(10));
    back.countDown();
    report.ended();
    report.close();
    assertThat(html()).contains("step 1,000");
  }

  @Test
  void nothingIsWrittenOnceItIsClosed() throws Exception {
    LiveReport report = report(folder(), this::view);
    report.schedule(0);
    await("step 0", "step 0");
    report.close();
    Files.delete(dir.resolve("report.html"));
    report.schedule(0);
    Thread.sleep(300);
    assertThat(dir.resolve("report.html")).doesNotExist();
  }

  private LiveReport report(RunFolder folder, Supplier<RunView> view) {
    return new LiveReport(folder, view, () -> {}, text -> text, Duration.ofMillis(20));
  }

  private RunView view() {
    return new RunView("file:" + dir, record.deepCopy(), log, null, Instant.now());
  }

  private RunFolder folder() {
    return new RunFolder(dir.toUri().toString(), new Configuration());
  }

  private String html() throws IOException {
    return Files.readString(dir.resolve("report.html"));
  }

  private void await(String one, String other) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!Files.exists(dir.resolve("report.html"))
        || !(html().contains(one) || html().contains(other))) {
      assertThat(System.nanoTime()).as("in time").isLessThan(deadline);
      Thread.sleep(20);
    }
  }
}
