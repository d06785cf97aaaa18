package dev.anneal.spark.storage;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs are processes of their own here, killed and suspended with signals. */
class OutputLeaseTest {
  private static final int ROUNDS = 100;
  private static final Duration SEVERAL_BEATS = LeaseProcess.BEAT.multipliedBy(4);

  private static final Duration MOST = Duration.ofSeconds(30);

  @TempDir Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"here", "there"})
  void refusesASecondRunAsLongAsTheFirstIsAtWork(String host) throws Exception {
    try (LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess(host)) {
      first.tell("acquire " + folder());
      assertThat(first.answer()).isEqualTo("owner");
      second.tell("acquire " + folder());
      assertThat(second.answer())
          .matches(
              "refused: output\\.path %s is being written by another run \\(started \\S+Z, process \\d+ on host \\S+\\): wait for it, or choose another output\\.path\\."
                  .formatted(dir));
      assertThat(first.answerWithin(SEVERAL_BEATS)).isNull();
      first.tell("release");
      assertThat(first.answer()).isEqualTo("released");
      assertThat(lock()).doesNotExist();
      second.tell("acquire " + folder());
      assertThat(second.answer()).isEqualTo("owner");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"here", "there"})
  void goesOnAfterARunThatWasKilled(String host) throws Exception {
    try (LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess(host)) {
      first.tell("acquire " + folder());
      assertThat(first.answer()).isEqualTo("owner");
      first.kill();
      assertThat(lock()).exists();
      long start = System.nanoTime();
      second.tell("acquire " + folder());
      assertThat(second.answer()).isEqualTo("owner");
      if (host.equals("there")) {
        assertThat(Duration.ofNanos(System.nanoTime() - start))
            .isGreaterThan(LeaseProcess.BEAT.multipliedBy(3));
      }
    }
  }

  @Test
  void aSuspendedRunLearnsThatAnotherHasTakenOver() throws Exception {
    try (LeaseProcess first = new LeaseProcess("there");
        LeaseProcess second = new LeaseProcess("here")) {
      first.tell("acquire " + folder());
      assertThat(first.answer()).isEqualTo("owner");
      first.signal("STOP");
      second.tell("acquire " + folder());
      assertThat(second.answer()).isEqualTo("owner");
      first.signal("CONT");
      assertThat(first.answer())
          .startsWith("lost: output.path " + dir + " was taken over by another run (started ")
          .endsWith("): this run writes nothing more there.");
      first.tell("release");
      assertThat(first.answer()).isEqualTo("released");
      assertThat(second.answerWithin(SEVERAL_BEATS)).isNull();
      assertThat(lock()).exists();
    }
  }

  @Test
  void aSuspendedRunLearnsThatAnotherHasTakenOverAndEnded() throws Exception {
    try (LeaseProcess first = new LeaseProcess("there");
        LeaseProcess second = new LeaseProcess("here")) {
      first.tell("acquire " + folder());
      assertThat(first.answer()).isEqualTo("owner");
      first.signal("STOP");
      second.tell("acquire " + folder());
      assertThat(second.answer()).isEqualTo("owner");
      second.tell("release");
      assertThat(second.answer()).isEqualTo("released");
      first.signal("CONT");
      assertThat(first.answer()).startsWith("lost: ").contains("(which has ended)");
      assertThat(lock()).doesNotExist();
    }
  }

  @Test
  void aRunOnTheSameHostIsRefusedAlsoWhileTheFirstIsSuspended() throws Exception {
    try (LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess("here")) {
      first.tell("acquire " + folder());
      assertThat(first.answer()).isEqualTo("owner");
      first.signal("STOP");
      second.tell("acquire " + folder());
      assertThat(second.answer()).startsWith("refused: ");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{\"run_id\": \"a\", \"proc", "null", "{}"})
  void aDamagedLockThatNobodyMendsIsNone(String content) throws Exception {
    Files.writeString(lock(), content);
    try (LeaseProcess run = new LeaseProcess("here")) {
      run.tell("acquire " + folder());
      assertThat(run.answer()).isEqualTo("owner");
    }
  }

  @Test
  void keepsTryingWhileTheLockCannotBeReached() throws Exception {
    try (LeaseProcess run = new LeaseProcess("here")) {
      run.tell("acquire " + folder());
      assertThat(run.answer()).isEqualTo("owner");
      byte[] held = Files.readAllBytes(lock());
      Path link = dir.resolve("link");
      Files.createSymbolicLink(link, lock());
      Files.move(link, lock(), StandardCopyOption.ATOMIC_MOVE);
      assertThat(run.answerWithin(SEVERAL_BEATS)).isNull();
      Files.move(Files.write(dir.resolve("back"), held), lock(), StandardCopyOption.ATOMIC_MOVE);
      long start = System.nanoTime();
      while (Arrays.equals(Files.readAllBytes(lock()), held)) {
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(MOST);
        Thread.sleep(10);
      }
      assertThat(run.answerWithin(Duration.ZERO)).isNull();
    }
  }

  @Test
  void neverHasTwoOwnersWhenTwoComeAtTheSameMoment() throws Exception {
    try (LeaseProcess gone = new LeaseProcess("here");
        LeaseProcess first = new LeaseProcess("here");
        LeaseProcess second = new LeaseProcess("here")) {
      gone.tell("acquire " + folder());
      assertThat(gone.answer()).isEqualTo("owner");
      byte[] stale = Files.readAllBytes(lock());
      gone.kill();
      for (int round = 0; round < ROUNDS; round++) {
        if (round % 2 == 0) {
          Files.write(lock(), stale);
        }
        first.tell("acquire " + folder());
        second.tell("acquire " + folder());
        List<String> answers = List.of(first.answer(), second.answer());
        assertThat(answers).filteredOn("owner"::equals).as("round %d", round).hasSize(1);
        assertThat(answers).filteredOn(answer -> answer.startsWith("refused: ")).hasSize(1);
        LeaseProcess owner = answers.get(0).equals("owner") ? first : second;
        owner.tell("release");
        assertThat(owner.answer()).isEqualTo("released");
      }
      assertThat(Stream.of(first.answerWithin(SEVERAL_BEATS), second.answerWithin(SEVERAL_BEATS)))
          .containsOnlyNulls();
    }
  }

  private String folder() {
    return "file://" + dir;
  }

  private Path lock() {
    return dir.resolve("run.lock");
  }
}
