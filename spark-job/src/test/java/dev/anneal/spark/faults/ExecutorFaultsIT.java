package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.Held.Phase;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code kill -9} of an executor, wherever it is: the run goes on from the last checkpoint. */
@ExtendWith(FaultsExtension.class)
class ExecutorFaultsIT {
  private final Faults faults;

  ExecutorFaultsIT(Faults faults) {
    this.faults = faults;
  }

  @Test
  @Tag("faults")
  void killedInItsForward() throws Exception {
    assertGoesOnWithout(1, "forward", Phases.forward(1, 7), 6);
  }

  @Test
  void killedInAnAllReduce() throws Exception {
    assertGoesOnWithout(0, "all-reduce", Phases.allReduce(0, 7), 6);
  }

  @Test
  void killedInACheckpoint() throws Exception {
    assertGoesOnWithout(1, "checkpoint", Phases.checkpoint(1, 2), 3);
  }

  @Test
  @Tag("faults")
  void killedInPublishing() throws Exception {
    assertGoesOnWithout(0, "publishing", Phases.publishing(), 12);
  }

  @Test
  @Tag("faults")
  void killedInDataPreparation() throws Exception {
    RunOutput output = faults.output("preparation");
    Held held = Held.in(Phases.preparation(), faults.folder());
    try (SubmittedJob job = faults.start("run", output, held)) {
      held.await().destroyForcibly();
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      faults.cluster().assertNoExecutors();
    }
    output.assertSameAs(faults.undisturbed());
    output.assertSameDatasetAs(faults.undisturbed());
  }

  /** Kills the rank's process in the phase; the next attempt begins after {@code checkpoint}. */
  private void assertGoesOnWithout(int rank, String name, Phase phase, int checkpoint)
      throws Exception {
    RunOutput output = faults.prepared(name);
    Held held = Held.in(phase, faults.folder());
    try (SubmittedJob job = faults.start("train", output, held)) {
      ProcessHandle executor = held.await();
      output.awaitCheckpoint(checkpoint);
      executor.destroyForcibly();
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out().lines())
          .anyMatch(
              line -> line.matches("The process of rank %s on \\S+ was lost.*".formatted(rank)))
          .anyMatch(
              line -> line.startsWith("Beginning again after step %s ".formatted(checkpoint)));
      faults.cluster().assertNoExecutors();
    }
    output.assertSameAs(faults.undisturbed());
  }
}
