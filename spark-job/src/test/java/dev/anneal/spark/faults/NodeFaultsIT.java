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
              "did not answer its peers in time: look at process %s there"
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
      assertThat(job.await()).as(job.out() + job.err()).isZero();
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
