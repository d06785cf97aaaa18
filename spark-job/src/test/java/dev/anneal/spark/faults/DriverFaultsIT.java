package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What becomes of a run whose driver ends, is told to end, or is not the only one. */
@ExtendWith(FaultsExtension.class)
class DriverFaultsIT {
  /** What spot nodes and YARN give. */
  private static final Duration NOTICE = Duration.ofSeconds(30);

  /** They do once a second, to hear whether they are to go on. */
  private static final Duration UNTIL_RANKS_ASK = Duration.ofSeconds(2);

  private static final int KILLED = 128 + 9;
  private static final int TERMINATED = 128 + 15;

  private final Faults faults;

  DriverFaultsIT(Faults faults) {
    this.faults = faults;
  }

  @Test
  void theSameCommandGoesOnAfterTheDriverWasKilled() throws Exception {
    RunOutput output = killedInStep7("driver");
    goesOn(output, 6);
  }

  @Test
  @Tag("faults")
  void aCheckpointThatWasDamagedMeanwhileIsLeftOut() throws Exception {
    RunOutput output = killedInStep7("damaged");
    Path damaged = output.rankFile(6, 0);
    byte[] bytes = Files.readAllBytes(damaged);
    bytes[bytes.length / 2] ^= 1;
    Files.write(damaged, bytes);
    assertThat(goesOn(output, 3))
        .contains("A checkpoint is left out: %s is not as it was written.".formatted(damaged));
  }

  /** What a run leaves whose driver is killed after the checkpoints of steps 3 and 6. */
  private RunOutput killedInStep7(String name) throws Exception {
    RunOutput output = faults.prepared(name);
    Held held = Held.in(Phases.forward(1, 7), faults.folder());
    try (SubmittedJob job = faults.start("train", output, held)) {
      held.await();
      output.awaitCheckpoint(6);
      job.driver().destroyForcibly();
      assertThat(job.await()).isEqualTo(KILLED);
      assertThat(job.err().lines())
          .singleElement()
          .asString()
          .startsWith("anneal: the driver was killed");
      held.release();
      faults.cluster().assertNoExecutors();
      assertThat(output.folder().resolve("adapter")).doesNotExist();
    }
    return output;
  }

  @Test
  @Tag("faults")
  void aSecondRunOnTheSameOutputIsRefused() throws Exception {
    RunOutput output = faults.prepared("twice");
    Held held = Held.in(Phases.forward(1, 2), faults.folder());
    try (SubmittedJob first = faults.start("train", output, held)) {
      held.await();
      try (SubmittedJob second = faults.start("train", output)) {
        assertThat(second.await()).as(second.out() + second.err()).isEqualTo(2);
        assertThat(second.err().lines())
            .singleElement()
            .asString()
            .contains(output.folder() + " is being written by another run");
      }
      held.release();
      assertThat(first.await()).as(first.out() + first.err()).isZero();
    }
    output.assertSameAs(faults.undisturbed());
  }

  @Test
  void aDriverThatIsToldToEndLeavesACheckpoint() throws Exception {
    RunOutput output = faults.prepared("terminated");
    Held held = Held.in(Phases.forward(1, 5), faults.folder());
    try (SubmittedJob job = faults.start("train", output, held)) {
      held.await();
      long start = System.nanoTime();
      job.terminate();
      job.awaitOutput("Told to end");
      Thread.sleep(UNTIL_RANKS_ASK.toMillis());
      held.release();
      assertThat(job.await()).isEqualTo(TERMINATED);
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(NOTICE);
      assertThat(job.out())
          .containsPattern("The run was interrupted. The same command goes on after step \\d+\\.");
      faults.cluster().assertNoExecutors();
    }
    output.assertFailed("The run was interrupted. The same command goes on after step \\d+\\.");
    goesOn(output, output.lastCheckpoint());
  }

  @Test
  @Tag("faults")
  void anExecutorThatIsToldToEndTakesItsPeersToACheckpoint() throws Exception {
    RunOutput output = faults.prepared("preempted");
    Held held = Held.in(Phases.forward(1, 5), faults.folder());
    try (SubmittedJob job = faults.start("train", output, held)) {
      ProcessHandle executor = held.await();
      long start = System.nanoTime();
      executor.destroy();
      job.awaitOutput("was told to end");
      Thread.sleep(UNTIL_RANKS_ASK.toMillis());
      held.release();
      executor.onExit().join();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(NOTICE);
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out())
          .contains("was told to end: all ranks leave with a checkpoint.")
          .containsPattern("Beginning again after step \\d+ ");
    }
    output.assertSameAs(faults.undisturbed());
  }

  /**
   * Asserts that the same command goes on after {@code step} and comes to the same end.
   *
   * @return what it has said
   */
  private String goesOn(RunOutput output, int step) throws Exception {
    String said;
    try (SubmittedJob again = faults.start("train", output)) {
      assertThat(again.await()).as(again.out() + again.err()).isZero();
      said = again.out();
      assertThat(said).contains("Going on after step %s ...".formatted(step));
      faults.cluster().assertNoExecutors();
    }
    output.assertSameAs(faults.undisturbed());
    output.assertComplete();
    return said;
  }
}
