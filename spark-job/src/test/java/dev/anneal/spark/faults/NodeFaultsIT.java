package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.Held.Phase;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Nodes that the others no longer hear of, though their processes live. */
@Tag("faults")
@ExtendWith(FaultsExtension.class)
class NodeFaultsIT {
  /**
   * {@code cluster.timeout}, and what it takes until a process is given up that does not answer.
   */
  private static final Duration DETECTION = Duration.ofSeconds(20 + 40);

  /** After which no rank waits for the driver any more. */
  private static final Duration DRIVER_PAUSE = Duration.ofSeconds(50);

  private final Faults faults;

  NodeFaultsIT(Faults faults) {
    this.faults = faults;
  }

  @Test
  void aZombieWritesTheResultBesideTheNextAttempt() throws Exception {
    assertFenced("zombie", Phases.publishing());
  }

  @Test
  void aZombieWritesACheckpointBesideTheNextAttempt() throws Exception {
    assertFenced("zombie-checkpoint", Phases.checkpoint(1, 2));
  }

  @Test
  void aRankThatHangsIsFoundAndLeftBehind() throws Exception {
    RunOutput output = faults.prepared("hung");
    Held held = Held.in(Phases.forward(1, 7), faults.folder());
    try (SubmittedJob job = faults.start("train", output, held)) {
      ProcessHandle executor = held.await();
      output.awaitCheckpoint(6);
      job.awaitOutput("Beginning again after step 6 ", DETECTION);
      assertThat(job.out())
          .contains(
              "did not answer its peers in time, although it lives: look at process %s there"
                  .formatted(executor.pid()));
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(executor.isAlive()).isFalse();
      faults.cluster().assertNoExecutors();
    }
    output.assertSameAs(faults.undisturbed());
  }

  @Test
  void aProcessThatStandsStillIsFoundAndLeftBehind() throws Exception {
    RunOutput output = faults.prepared("stopped");
    Held held = Held.in(Phases.forward(0, 7), faults.folder());
    try (SubmittedJob job = faults.start("train", output, held)) {
      ProcessHandle executor = held.await();
      output.awaitCheckpoint(6);
      Shell.run("kill -STOP " + executor.pid());
      held.release();
      job.awaitOutput("Beginning again after step 6 ", DETECTION);
      // whichever of its peers and Spark has waited long enough first
      assertThat(job.out())
          .containsPattern(
              "given no sign of life for \\d+ s|heard nothing more of the process of rank \\d");
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      faults.cluster().assertNoExecutors();
    }
    output.assertSameAs(faults.undisturbed());
  }

  /** Nobody tells the driver how a process ended whose worker stands still. */
  @Test
  void aProcessThatIsKilledWhileItsWorkerStandsStillIsNotTakenForAHangingOne() throws Exception {
    RunOutput output = faults.prepared("stopped-worker");
    Held held = Held.in(Phases.allReduce(1, 7), faults.folder());
    try (SubmittedJob job = faults.start("train", output, held)) {
      ProcessHandle executor = held.await();
      output.awaitCheckpoint(6);
      Process worker = faults.cluster().nodeOf(executor).worker();
      Shell.run("kill -STOP " + worker.pid());
      try {
        executor.destroyForcibly();
        job.awaitOutput("The process of rank 1 on ", DETECTION);
      } finally {
        Shell.run("kill -CONT " + worker.pid());
      }
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out())
          .containsPattern("The process of rank 1 on \\S+ was lost: ")
          .doesNotContain("did not answer");
      faults.cluster().assertNoExecutors();
    }
    output.assertSameAs(faults.undisturbed());
  }

  @Test
  void aDriverThatStandsStillBlamesNobody() throws Exception {
    RunOutput output = faults.prepared("stopped-driver");
    Held held = Held.in(Phases.forward(1, 7), faults.folder());
    try (SubmittedJob job = faults.start("train", output, held)) {
      held.await();
      output.awaitCheckpoint(6);
      Shell.run("kill -STOP " + job.driver().pid());
      held.release();
      // until the ranks have left
      Thread.sleep(DRIVER_PAUSE.toMillis());
      Shell.run("kill -CONT " + job.driver().pid());
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out())
          .containsPattern("The driver stood still for \\d+ s, and the ranks left it")
          .doesNotContain("The process of", "Rank ");
      faults.cluster().assertNoExecutors();
    }
    output.assertSameAs(faults.undisturbed());
  }

  /**
   * Cuts off the node whose process is in the phase, and brings it back when the next attempt has
   * begun: what the process still writes must change nothing.
   */
  private void assertFenced(String name, Phase phase) throws Exception {
    RunOutput output = faults.prepared(name);
    Held held = Held.in(phase, faults.folder());
    try (SubmittedJob job = faults.start("train", output, held)) {
      ProcessHandle zombie = held.await();
      Node node = faults.cluster().nodeOf(zombie);
      faults.cluster().network().cut(node.host());
      try {
        job.awaitOutput("Beginning again after step ", DETECTION);
        assertThat(zombie.isAlive()).as("the zombie lives when the next attempt begins").isTrue();
      } finally {
        faults.cluster().network().heal(node.host());
      }
      held.release();
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(held.hasGoneOn()).as("the zombie went on writing").isTrue();
      faults.cluster().assertNoExecutors();
      output.assertSameAs(faults.undisturbed());
      output.assertComplete();
    }
  }
}
