package dev.anneal.spark.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs are processes of their own here, on a host of their own by name, killed and suspended. */
class GenerationLeaseTest {
  private static final int ROUNDS = 10;
  private static final Duration SEVERAL_BEATS = Duration.ofSeconds(1);

  private static final Duration MOST = Duration.ofSeconds(60);

  // three times this is more than the machine of a test keeps a thread waiting
  private static final Duration SLOW_BEAT = Duration.ofSeconds(5);

  @TempDir Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"here", "there"})
  void refusesASecondRunAsLongAsTheFirstIsAtWork(String host) throws Exception {
    try (LeaseProcess first = new LeaseProcess("here", SLOW_BEAT);
        LeaseProcess second = new LeaseProcess(host, SLOW_BEAT)) {
      assertThat(first.answerTo(acquire())).isEqualTo("owner");
      assertThat(second.answerTo(acquire()))
          .matches(
              "refused: output\\.path %s is being written by another run \\(started \\S+Z, process \\d+ on host \\S+\\): wait for it, or choose another output\\.path\\."
                  .formatted(FolderOfObjects.uri(dir)));
      assertThat(first.answerTo("look")).isEqualTo("held");
      assertThat(first.answerTo("release")).isEqualTo("released");
      assertThat(second.answerTo(acquire())).isEqualTo("owner");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"here", "there"})
  void goesOnAfterARunThatWasKilled(String host) throws Exception {
    try (LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess(host)) {
      assertThat(first.answerTo(acquire())).isEqualTo("owner");
      first.kill();
      assertThat(second.answerTo(acquire())).isEqualTo("owner");
      assertThat(second.answerTo("look")).isEqualTo("held");
    }
  }

  @Test
  void aSuspendedRunLearnsThatAnotherHasTakenOverAndCannotTakeItBack() throws Exception {
    try (LeaseProcess first = new LeaseProcess("there");
        LeaseProcess second = new LeaseProcess("here")) {
      assertThat(first.answerTo(acquire())).isEqualTo("owner");
      first.signal("STOP");
      assertThat(second.answerTo(acquire())).isEqualTo("owner");
      first.signal("CONT");
      assertThat(first.answer())
          .startsWith("lost: output.path %s was taken over by".formatted(FolderOfObjects.uri(dir)))
          .contains(" (started ")
          .endsWith("): this run writes nothing more there.");
      assertThat(first.answerTo("look")).isEqualTo("not held");
      assertThat(first.answerTo("release")).isEqualTo("released");
      assertThat(second.answerTo("look")).isEqualTo("held");
      assertThat(second.answerWithin(SEVERAL_BEATS)).isNull();
    }
  }

  @Test
  void aSuspendedRunLearnsThatOthersHaveComeAndGone() throws Exception {
    try (LeaseProcess first = new LeaseProcess("there");
        LeaseProcess second = new LeaseProcess("here")) {
      assertThat(first.answerTo(acquire())).isEqualTo("owner");
      first.signal("STOP");
      for (int run = 0; run < 3; run++) {
        assertThat(second.answerTo(acquire())).isEqualTo("owner");
        assertThat(second.answerTo("release")).isEqualTo("released");
      }
      first.signal("CONT");
      assertThat(first.answer()).startsWith("lost: ");
      assertThat(first.answerTo("look")).isEqualTo("not held");
    }
  }

  @Test
  void aRunOnTheSameHostIsRefusedAlsoWhileTheFirstIsSuspended() throws Exception {
    try (LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess("here")) {
      assertThat(first.answerTo(acquire())).isEqualTo("owner");
      first.signal("STOP");
      assertThat(second.answerTo(acquire())).startsWith("refused: ");
    }
  }

  @Test
  void neverHasTwoOwnersWhenTwoComeAtTheSameMoment() throws Exception {
    try (LeaseProcess first = new LeaseProcess("here", SLOW_BEAT);
        LeaseProcess second = new LeaseProcess("here", SLOW_BEAT)) {
      for (int round = 1; round <= ROUNDS; round++) {
        LeaseProcess owner = Contention.oneOwner(acquire(), first, second);
        assertThat(lock(String.format(Locale.ROOT, "%08d.json", round))).exists();
        assertThat(lock(String.format(Locale.ROOT, "%08d.json", round + 1))).doesNotExist();
        assertThat(owner.answerTo("release")).isEqualTo("released");
      }
      assertThat(Stream.of(first.answerWithin(SEVERAL_BEATS), second.answerWithin(SEVERAL_BEATS)))
          .containsOnlyNulls();
    }
  }

  @Test
  void oneOfSeveralFollowsARunOnAnotherHostThatWasKilled() throws Exception {
    try (LeaseProcess gone = new LeaseProcess("there");
        LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess("here");
        LeaseProcess third = new LeaseProcess("here")) {
      assertThat(gone.answerTo(acquire())).isEqualTo("owner");
      gone.kill();
      LeaseProcess owner = Contention.oneOwner(acquire(), first, second, third);
      assertThat(owner.answerTo("look")).isEqualTo("held");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{\"run_id\": \"a\", \"proc", "null", "{}"})
  void aDamagedClaimThatNobodyMendsIsNone(String content) throws Exception {
    Files.createDirectory(dir.resolve("run.lock"));
    Files.writeString(lock("00000001.json"), content);
    try (LeaseProcess run = new LeaseProcess("here")) {
      assertThat(run.answerTo(acquire())).isEqualTo("owner");
      assertThat(lock("00000001.json")).hasContent(content);
    }
  }

  @Test
  void keepsTryingWhileTheStoreCannotBeReached() throws Exception {
    try (LeaseProcess run = new LeaseProcess("here")) {
      assertThat(run.answerTo(acquire())).isEqualTo("owner");
      Path away = Files.createFile(lock(FolderOfObjects.AWAY));
      assertThat(run.answerWithin(SEVERAL_BEATS)).isNull();
      Path beat = lock("00000001.beat");
      Files.deleteIfExists(beat);
      Files.delete(away);
      awaitFile(beat);
      assertThat(run.answerTo("look")).isEqualTo("held");
    }
  }

  @Test
  void aRunWhoseClaimWasRemovedLearnsIt() throws Exception {
    try (LeaseProcess run = new LeaseProcess("here")) {
      assertThat(run.answerTo(acquire())).isEqualTo("owner");
      Files.delete(lock("00000001.json"));
      assertThat(run.answer())
          .isEqualTo(
              "lost: run.lock in output.path %s was removed: this run writes nothing more there."
                  .formatted(FolderOfObjects.uri(dir)));
    }
  }

  @Test
  void aRunWhoseClaimWasOverwrittenLearnsIt() throws Exception {
    try (LeaseProcess run = new LeaseProcess("here")) {
      assertThat(run.answerTo(acquire())).isEqualTo("owner");
      write(lock("00000001.json"), LeaseRecord.of("another", ProcessIdentity.current()).json());
      assertThat(run.answer()).startsWith("lost: ").contains(" was taken over by another run (");
      assertThat(run.answerTo("look")).isEqualTo("not held");
    }
  }

  @Test
  void looksAgainWhetherAnotherHasMadeTheSameClaim() throws Exception {
    LeaseRecord own = LeaseRecord.of("own", ProcessIdentity.current());
    LeaseRecord another = LeaseRecord.of("another", ProcessIdentity.current());
    RunFolder folder = new RunFolder(FolderOfObjects.uri(dir), FolderOfObjects.configuration());
    GenerationLease.Timing timing = new GenerationLease.Timing(SLOW_BEAT, SLOW_BEAT);
    CompletableFuture<Void> acquired =
        CompletableFuture.runAsync(
            () -> {
              try {
                GenerationLease.acquire(folder, own, timing, loss -> {}).close();
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    awaitFile(lock("00000001.json"));
    write(lock("00000001.json"), another.json());
    assertThatThrownBy(acquired::join).hasCauseInstanceOf(BadRequestException.class);
  }

  private static void awaitFile(Path file) throws InterruptedException {
    long start = System.nanoTime();
    while (Files.notExists(file)) {
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(MOST);
      Thread.sleep(10);
    }
  }

  private void write(Path file, String content) throws IOException {
    Files.move(
        Files.writeString(dir.resolve("whole"), content), file, StandardCopyOption.ATOMIC_MOVE);
  }

  private String acquire() {
    return "acquire " + FolderOfObjects.uri(dir);
  }

  private Path lock(String name) {
    return dir.resolve("run.lock").resolve(name);
  }
}
