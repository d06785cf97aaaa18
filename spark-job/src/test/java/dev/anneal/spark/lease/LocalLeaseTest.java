package dev.anneal.spark.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs are processes of their own here, killed and suspended with signals. */
class LocalLeaseTest {
  private static final int ROUNDS = 10;

  @TempDir Path dir;

  @Test
  void refusesASecondRunAsLongAsTheFirstIsAtWork() throws Exception {
    try (LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess("here")) {
      assertThat(first.answerTo(acquire())).isEqualTo("owner");
      assertThat(second.answerTo(acquire()))
          .matches(
              "refused: output\\.path %s is being written by another run \\(started \\S+Z, process \\d+ on host \\S+\\): wait for it, or choose another output\\.path\\."
                  .formatted(output()));
      assertThat(first.answerTo("look")).isEqualTo("held");
      assertThat(first.answerTo("release")).isEqualTo("released");
      assertThat(second.answerTo(acquire())).isEqualTo("owner");
    }
  }

  @Test
  void followsNoLink() throws Exception {
    Path precious = Files.writeString(dir.resolve("precious"), "kept");
    Files.createDirectories(output());
    Path lock = output().resolve("run.lock");
    for (Path target : List.of(precious, dir.resolve("nowhere"))) {
      Files.createSymbolicLink(lock, target);
      try (LeaseProcess run = new LeaseProcess("here")) {
        assertThat(run.answerTo(acquire())).startsWith("refused: ").contains("run.lock is a link");
      }
      Files.delete(lock);
    }
    assertThat(precious).hasContent("kept");
    assertThat(dir.resolve("nowhere")).doesNotExist();
  }

  @Test
  void goesOnAtOnceAfterARunThatWasKilled() throws Exception {
    try (LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess("here")) {
      assertThat(first.answerTo(acquire())).isEqualTo("owner");
      first.kill();
      assertThat(second.answerTo(acquire())).isEqualTo("owner");
    }
  }

  @Test
  void aSuspendedRunKeepsTheFolder() throws Exception {
    try (LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess("here")) {
      assertThat(first.answerTo(acquire())).isEqualTo("owner");
      first.signal("STOP");
      assertThat(second.answerTo(acquire())).startsWith("refused: ");
      first.signal("CONT");
      assertThat(first.answerTo("look")).isEqualTo("held");
    }
  }

  @Test
  void neverHasTwoOwnersWhenTwoComeAtTheSameMoment() throws Exception {
    try (LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess("here")) {
      for (int round = 0; round < ROUNDS; round++) {
        LeaseProcess owner = Contention.oneOwner(acquire(), first, second);
        assertThat(owner.answerTo("release")).isEqualTo("released");
      }
    }
  }

  @Test
  void aSecondAttemptInTheSameProcessIsRefusedAndDoesNotGiveTheLockUp() throws Exception {
    Path link = Files.createSymbolicLink(dir.resolve("link"), Files.createDirectory(output()));
    try (OutputLease lease = inThisProcess(output());
        LeaseProcess another = new LeaseProcess("here")) {
      assertThatThrownBy(() -> inThisProcess(output())).isInstanceOf(BadRequestException.class);
      assertThatThrownBy(() -> inThisProcess(link)).isInstanceOf(BadRequestException.class);
      assertThat(another.answerTo(acquire())).startsWith("refused: ");
      assertThat(lease.isHeld()).isTrue();
    }
    inThisProcess(link).close();
  }

  @Test
  void aLockThatWasRemovedIsHeldNoLonger() throws Exception {
    try (OutputLease lease = inThisProcess(output())) {
      Files.delete(output().resolve("run.lock"));
      assertThat(lease.isHeld()).isFalse();
      Files.createFile(output().resolve("run.lock"));
      assertThat(lease.isHeld()).isFalse();
    }
  }

  private static OutputLease inThisProcess(Path folder) throws IOException {
    return OutputLease.acquire(
        new RunFolder("file://" + folder, new Configuration()), "a", loss -> {});
  }

  /** A folder that the first run has to make. */
  private Path output() {
    return dir.resolve("output");
  }

  private String acquire() {
    return "acquire file://" + output();
  }
}
