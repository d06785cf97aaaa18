package dev.anneal.spark.tracking.tensorboard;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.output.Measured;
import dev.anneal.spark.output.MetricsLog;
import dev.anneal.spark.output.ObjectStore;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.tracking.Measurements;
import dev.anneal.spark.tracking.RunEnd;
import dev.anneal.spark.tracking.Told;
import dev.anneal.spark.tracking.TrackedRun;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorBoardTrackerTest {
  private static final RunEnd SUCCEEDED = new RunEnd(RunEnd.State.SUCCEEDED, null);

  @TempDir Path output;
  private MetricsLog log = new MetricsLog();
  private long millis = 1000;

  @Test
  void aFileGrowsWithTheRun() throws Exception {
    TensorBoardTracker tracker = tracker();
    tracker.update();
    Path file = onlyFile();
    assertThat(steps(file, "learning_rate")).isEmpty();
    log.evaluation(0, 2.5);
    steps(1, 3);
    tracker.update();
    steps(4, 2500);
    tracker.update();
    assertThat(onlyFile()).isEqualTo(file);
    assertThat(steps(file, "learning_rate")).isEqualTo(range(1, 2500));
    assertThat(steps(file, "eval_loss")).containsExactly(0L);
    tracker.end(SUCCEEDED);
  }

  @Test
  void stepsThatAreMeasuredAgainStandThereOnceWithTheirNewTime() throws Exception {
    TensorBoardTracker tracker = tracker();
    steps(1, 9);
    tracker.update();
    Path before = onlyFile();
    log.rewind(5);
    tracker.rewound(5);
    tracker.update();
    assertThat(onlyFile()).as("a reader begins it anew").isNotEqualTo(before);
    assertThat(steps(onlyFile(), "learning_rate")).isEqualTo(range(1, 5));
    steps(6, 12);
    tracker.update();
    assertThat(steps(onlyFile(), "learning_rate")).isEqualTo(range(1, 12));
    tracker.end(SUCCEEDED);
  }

  @Test
  void anotherProcessGoesOnWithTheTimesOfTheFirst() throws Exception {
    TensorBoardTracker first = tracker();
    log.evaluation(0, 2.5);
    steps(1, 9);
    first.update();
    List<Events.Read> before = events(onlyFile());
    // killed in the middle of a record; the last checkpoint holds five steps
    Files.write(onlyFile(), new byte[] {9, 0, 0}, StandardOpenOption.APPEND);
    log = MetricsLog.restore(log.upTo(5));
    millis = 5_000_000;
    TensorBoardTracker second = tracker();
    second.update();
    assertThat(events(onlyFile())).isEqualTo(before.subList(0, 6));
    steps(6, 8);
    second.update();
    assertThat(steps(onlyFile(), "learning_rate")).isEqualTo(range(1, 8));
    assertThat(events(onlyFile()).get(7).millis()).isGreaterThanOrEqualTo(5_000_000);
    second.end(SUCCEEDED);
  }

  @Test
  void aStoreThatCannotAppendGetsTheFileAnewNowAndThenAndAtTheEnd() throws Exception {
    Measurements measurements = new Measurements(log, () -> millis += 7);
    TensorBoardTracker seldom =
        new TensorBoardTracker(inStore(), measurements, Duration.ofHours(1));
    seldom.update();
    steps(1, 3);
    seldom.update();
    assertThat(steps(onlyFile(), "learning_rate")).isEmpty();
    seldom.end(SUCCEEDED);
    assertThat(steps(onlyFile(), "learning_rate")).isEqualTo(range(1, 3));
    TensorBoardTracker often = new TensorBoardTracker(inStore(), measurements, Duration.ZERO);
    often.update();
    steps(4, 5);
    long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (steps(onlyFile(), "learning_rate").size() < 5 && System.nanoTime() < deadline) {
      often.update();
    }
    assertThat(steps(onlyFile(), "learning_rate")).isEqualTo(range(1, 5));
  }

  private TrackedRun inStore() {
    Configuration hadoop = new Configuration();
    hadoop.setClass("fs.oss.impl", ObjectStore.class, FileSystem.class);
    TrackedRun run = Told.run(output);
    return new TrackedRun(
        run.request(),
        new RunFolder("oss://" + output, hadoop),
        run.model(),
        run.steps(),
        run.data(),
        run.sparkVersion(),
        run.applicationId(),
        run.masked());
  }

  private TensorBoardTracker tracker() {
    return new TensorBoardTracker(Told.run(output), new Measurements(log, () -> millis += 7));
  }

  private void steps(long first, long last) {
    LongStream.rangeClosed(first, last).mapToObj(Measured::step).forEach(log::step);
  }

  private Path onlyFile() throws IOException {
    try (Stream<Path> files = Files.list(output.resolve("tensorboard"))) {
      List<Path> all = files.toList();
      assertThat(all).hasSize(1);
      return all.get(0);
    }
  }

  private static List<Long> steps(Path file, String tag) throws IOException {
    return events(file).stream()
        .filter(event -> event.tag().equals(tag))
        .map(Events.Read::step)
        .toList();
  }

  /** Those of numbers. */
  private static List<Events.Read> events(Path file) throws IOException {
    List<Events.Read> events = new ArrayList<>();
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      for (byte[] record = Records.next(in); record != null; record = Records.next(in)) {
        Events.read(record).filter(e -> !e.tag().equals("configuration")).ifPresent(events::add);
      }
    }
    return events;
  }

  private static List<Long> range(long first, long last) {
    return LongStream.rangeClosed(first, last).boxed().toList();
  }
}
