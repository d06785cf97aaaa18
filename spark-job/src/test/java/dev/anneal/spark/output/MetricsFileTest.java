package dev.anneal.spark.output;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.storage.RunFolder;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MetricsFileTest {
  @TempDir Path dir;

  @Test
  void showsALineOnTheDiskAsSoonAsItIsTold() throws Exception {
    try (MetricsFile file = MetricsFile.open(onDisk(), new MetricsLog())) {
      file.evaluation(0, 2.5);
      awaitContent(Measured.log(0), 0);
      Object inode = Files.getAttribute(path(), "unix:ino");
      for (int step = 1; step <= 20; step++) {
        file.step(Measured.step(step));
        awaitContent(Measured.log(step), step);
      }
      assertThat(Files.getAttribute(path(), "unix:ino")).isEqualTo(inode);
    }
  }

  @Test
  void goesOnAfterARewindWithoutDoublingOrLosingALine() throws Exception {
    try (MetricsFile file = MetricsFile.open(onDisk(), new MetricsLog())) {
      file.evaluation(0, 2.5);
      for (int step = 1; step <= 9; step++) {
        file.step(Measured.skipped(step));
      }
      file.rewind(0);
      for (int step = 1; step <= 6; step++) {
        file.step(Measured.step(step));
      }
      file.requireComplete();
      assertContent(Measured.log(6), 6);
      file.rewind(4);
      file.flush();
      assertContent(Measured.log(4), 4);
    }
  }

  @Test
  void beginsWithWhatACheckpointHolds() throws Exception {
    Files.writeString(path(), "of the attempt that was killed");
    MetricsLog log = MetricsLog.restore(Measured.log(3).upTo(3));
    try (MetricsFile file = MetricsFile.open(onDisk(), log)) {
      assertContent(Measured.log(3), 3);
      file.step(Measured.step(4));
      awaitContent(Measured.log(4), 4);
    }
  }

  @Test
  void makesUpForWhatItCouldNotWrite() throws Exception {
    try (MetricsFile file = MetricsFile.open(onDisk(), new MetricsLog())) {
      file.evaluation(0, 2.5);
      file.flush();
      Files.delete(path());
      Files.createDirectories(path().resolve("in the way"));
      file.rewind(0);
      file.step(Measured.step(1));
      file.flush();
      file.step(Measured.step(2));
      assertThatThrownBy(file::requireComplete)
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith("metrics.jsonl: ");
      Files.delete(path().resolve("in the way"));
      Files.delete(path());
      file.requireComplete();
      assertContent(Measured.log(2), 2);
      file.step(Measured.step(3));
      awaitContent(Measured.log(3), 3);
    }
  }

  @Test
  void holdsEveryLineOnceAfterTheDiskWasFull() throws Exception {
    try (MetricsFile file = MetricsFile.open(onDisk(), new MetricsLog())) {
      file.evaluation(0, 2.5);
      file.flush();
      for (int step = 1; step <= 3; step++) {
        file.step(Measured.step(step));
        awaitContent(Measured.log(step), step);
      }
      long room = Files.size(path()) + 20;
      limitFileSize(Long.toString(room));
      try {
        file.step(Measured.step(4));
        file.flush();
        file.step(Measured.step(5));
        file.flush();
        assertThat(path()).hasSize(room);
        assertThatThrownBy(file::requireComplete)
            .isInstanceOf(IOException.class)
            .hasMessageStartingWith("metrics.jsonl: ");
      } finally {
        limitFileSize("unlimited");
      }
      file.step(Measured.step(6));
      file.requireComplete();
      assertContent(Measured.log(6), 6);
      file.step(Measured.step(7));
      awaitContent(Measured.log(7), 7);
    }
  }

  /** Lets this process make no longer files, in bytes, or an {@code unlimited} length. */
  private static void limitFileSize(String bytes) throws Exception {
    String pid = Long.toString(ProcessHandle.current().pid());
    Process prlimit =
        new ProcessBuilder("prlimit", "--pid", pid, "--fsize=%s:".formatted(bytes))
            .inheritIO()
            .start();
    assertThat(prlimit.waitFor()).isZero();
  }

  @Test
  void flushesNothingOnceItIsClosed() throws Exception {
    MetricsFile file = MetricsFile.open(onDisk(), new MetricsLog());
    file.evaluation(0, 2.5);
    file.flush();
    file.close();
    file.flush();
    assertContent(Measured.log(0), 0);
  }

  @Test
  void doesNotBeginWhereItCannotWrite() throws Exception {
    Files.createDirectories(path().resolve("in the way"));
    assertThatThrownBy(() -> MetricsFile.open(onDisk(), new MetricsLog()))
        .isInstanceOf(IOException.class);
  }

  @Test
  void writesAnObjectAsAWholeNowAndThenAndAtAFlush() throws Exception {
    Duration every = Duration.ofMillis(500);
    try (MetricsFile file = new MetricsFile(inStore(), new MetricsLog(), every, 1_000)) {
      file.requireComplete();
      Instant begun = Instant.now();
      file.evaluation(0, 2.5);
      file.step(Measured.step(1));
      assertThat(path()).isEmptyFile();
      awaitContent(Measured.log(1), 1);
      assertThat(Duration.between(begun, Instant.now())).isGreaterThan(Duration.ofMillis(300));
      file.step(Measured.step(2));
      file.flush();
      assertContent(Measured.log(2), 2);
    }
  }

  @Test
  void writesAnObjectThatIsUpToDateOnlyOnce() throws Exception {
    try (MetricsFile file = MetricsFile.open(inStore(), new MetricsLog())) {
      file.evaluation(0, 2.5);
      file.flush();
      Object inode = Files.getAttribute(path(), "unix:ino");
      Object written = Files.getAttribute(path(), "unix:ctime");
      Thread.sleep(20);
      file.flush();
      file.requireComplete();
      assertThat(Files.getAttribute(path(), "unix:ino")).isEqualTo(inode);
      assertThat(Files.getAttribute(path(), "unix:ctime")).isEqualTo(written);
    }
  }

  @Test
  void writesTheFirstOfManyLinesOfAnObjectOnce() throws Exception {
    try (MetricsFile file = inSegments(10)) {
      file.requireComplete();
      file.evaluation(0, 2.5);
      for (int step = 1; step <= 44; step++) {
        file.step(Measured.step(step));
        file.flush();
        assertThat(together()).as("after step " + step).isEqualTo(Measured.log(step).upTo(step));
        assertThat(lines(path())).isLessThan(20);
      }
      assertThat(segments()).hasSize(3);
      Object first = Files.getLastModifiedTime(segments().get(0));

      file.rewind(15);
      file.flush();
      assertThat(together()).isEqualTo(Measured.log(15).upTo(15));
      for (int step = 16; step <= 32; step++) {
        file.step(Measured.step(step));
      }
      file.flush();
      assertThat(together()).isEqualTo(Measured.log(32).upTo(32));
      assertThat(segments()).hasSize(2);
      assertThat(Files.getLastModifiedTime(segments().get(0))).isEqualTo(first);

      // told again, and differently
      file.step(Measured.skipped(3));
      file.flush();
      MetricsLog other = Measured.log(32);
      other.step(Measured.skipped(3));
      assertThat(together()).isEqualTo(other.upTo(32));
      file.requireComplete();
      assertContent(other, 32);
      assertThat(dir.resolve("metrics.segments")).doesNotExist();
    }
  }

  @Test
  void beginsInOneObjectWhateverSegmentsARunHasLeft() throws Exception {
    try (MetricsFile file = inSegments(10)) {
      file.requireComplete();
      for (int step = 1; step <= 25; step++) {
        file.step(Measured.step(step));
      }
      file.flush();
    }
    assertThat(segments()).hasSize(1);
    MetricsLog log = MetricsLog.restore(Measured.log(15).upTo(15));
    try (MetricsFile file = MetricsFile.open(inStore(), log)) {
      assertContent(Measured.log(15), 15);
      assertThat(dir.resolve("metrics.segments")).doesNotExist();
    }
  }

  @Test
  void makesUpForSegmentsThatItCouldNotWrite() throws Exception {
    try (MetricsFile file = inSegments(10)) {
      file.requireComplete();
      for (int step = 1; step <= 25; step++) {
        file.step(Measured.step(step));
      }
      Path inTheWay = Files.createFile(dir.resolve("metrics.segments"));
      file.flush();
      file.rewind(22);
      file.flush();
      assertThat(path()).isEmptyFile();
      Files.delete(inTheWay);
      file.flush();
      assertThat(new String(together(), UTF_8).lines()).hasSize(22);
      assertThat(segments()).hasSize(1);
    }
  }

  /**
   * What it costs: {@code -Dmetrics.lines=1000000 -Dmetrics.segment=50000}, and 500001 for none.
   */
  @Test
  void aLaterLineOfAnObjectCostsNoMoreThanAnEarlierOne() throws Exception {
    int lines = Integer.getInteger("metrics.lines", 20_000);
    int segment = Integer.getInteger("metrics.segment", 1_000);
    try (MetricsFile file = inSegments(segment)) {
      file.requireComplete();
      for (int step = 1; step <= lines; step++) {
        file.step(Measured.step(step));
      }
      // makes the segments
      file.flush();
      file.step(Measured.step(lines + 1));
      long begun = System.nanoTime();
      file.flush();
      long millis = (System.nanoTime() - begun) / 1_000_000;
      System.out.printf(
          "%,d lines: a flush writes %,d bytes in %,d ms%n", lines, Files.size(path()), millis);
      assertThat(lines(path())).isLessThan(2L * segment);
    }
  }

  private MetricsFile inSegments(int lines) {
    return new MetricsFile(inStore(), new MetricsLog(), Duration.ofHours(1), lines);
  }

  private List<Path> segments() throws IOException {
    try (Stream<Path> files = Files.list(dir.resolve("metrics.segments"))) {
      return files.sorted().toList();
    }
  }

  /** What a reader of segments and file sees. */
  private byte[] together() throws IOException {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    if (Files.exists(dir.resolve("metrics.segments"))) {
      for (Path segment : segments()) {
        all.write(Files.readAllBytes(segment));
      }
    }
    all.write(Files.readAllBytes(path()));
    return all.toByteArray();
  }

  private static long lines(Path file) throws IOException {
    try (Stream<String> lines = Files.lines(file)) {
      return lines.count();
    }
  }

  private RunFolder onDisk() {
    return new RunFolder(dir.toUri().toString(), new Configuration());
  }

  private RunFolder inStore() {
    Configuration hadoop = new Configuration();
    hadoop.setClass("fs.oss.impl", ObjectStore.class, FileSystem.class);
    return new RunFolder("oss://" + dir, hadoop);
  }

  private Path path() {
    return dir.resolve("metrics.jsonl");
  }

  private void assertContent(MetricsLog log, long step) throws IOException {
    assertThat(path()).hasBinaryContent(log.upTo(step));
  }

  private void awaitContent(MetricsLog log, long step) throws Exception {
    for (int i = 0; i < 500 && Files.size(path()) != log.upTo(step).length; i++) {
      Thread.sleep(10);
    }
    assertContent(log, step);
  }
}
