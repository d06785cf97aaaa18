package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.Held.Phase;
import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.S3Server;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** An object store that goes away in the middle of a run, and credentials that do. */
@ExtendWith(FaultsExtension.class)
class StoreFaultsIT {
  private static final Duration AWAY = Duration.ofMinutes(1);

  /** Where training stands when the fault comes; the checkpoint after step 3 is complete. */
  private static final Phase PLACE = Phases.forward(1, 5);

  private final Faults faults;
  @TempDir Path folder;
  private S3Server server;
  private FaultyStore store;

  StoreFaultsIT(Faults faults) {
    this.faults = faults;
  }

  @BeforeEach
  void start() throws Exception {
    server = S3Server.start(folder);
    store = FaultyStore.before(server);
  }

  @AfterEach
  void stop() throws Exception {
    store.close();
    server.close();
  }

  @Test
  @Tag("faults")
  void aStoreThatIsAwayForAMinuteDelaysTheRun() throws Exception {
    StoreOutput output = new StoreOutput(store, server, "away", "a-key");
    Held held = Held.in(PLACE, folder);
    try (SubmittedJob job = start(output, held)) {
      held.await();
      output.awaitCheckpoint(3);
      store.goAway();
      held.release();
      Thread.sleep(AWAY.toMillis());
      store.comeBack();
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
    output.copyTo(folder.resolve("copy")).assertSameAs(faults.undisturbed());
  }

  @Test
  @Tag("faults")
  void theSameCommandWithNewCredentialsGoesOnWhereTheOldOnesExpired() throws Exception {
    StoreOutput output = new StoreOutput(store, server, "expired", "old-key");
    Held held = Held.in(PLACE, folder);
    try (SubmittedJob job = start(output, held)) {
      held.await();
      output.awaitCheckpoint(3);
      store.expire("old-key");
      held.release();
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(1);
      assertThat(job.err().lines())
          .singleElement()
          .asString()
          // a rank or the driver, whoever asks the store first
          .matches(
              "anneal: (Rank \\d on \\S+ failed: )?The credentials for the object store have expired .*");
    }
    StoreOutput renewed = new StoreOutput(store, server, "expired", "new-key");
    try (SubmittedJob again = faults.startEmbedded("run", renewed, renewed.options())) {
      assertThat(again.await()).as(again.out() + again.err()).isZero();
      assertThat(again.out()).contains("Going on after step 3 ...");
    }
    renewed.copyTo(folder.resolve("copy")).assertSameAs(faults.undisturbed());
  }

  @Test
  @Tag("faults")
  void theSameCommandPublishesWhatAKilledDriverHadBegunTo() throws Exception {
    StoreOutput output = new StoreOutput(store, server, "half", "a-key");
    Held held = Held.in(Phases.copying(), folder);
    try (SubmittedJob job = start(output, held)) {
      assertThat(held.await()).isEqualTo(job.driver());
      assertThat(output.has("adapter/adapter_config.json")).isTrue();
      assertThat(output.has("adapter/adapter_model.safetensors"))
          .as("what readers of the folder look for")
          .isFalse();
      List<ProcessHandle> processes = job.processes();
      job.driver().destroyForcibly();
      assertThat(job.await()).isEqualTo(128 + 9);
      job.assertNothingLeft(processes);
    }
    try (SubmittedJob again = faults.startEmbedded("run", output, output.options())) {
      assertThat(again.await()).as(again.out() + again.err()).isZero();
      assertThat(again.out()).contains("Going on after step %s ...".formatted(Faults.STEPS));
    }
    output.copyTo(folder.resolve("copy")).assertSameAs(faults.undisturbed());
  }

  private SubmittedJob start(StoreOutput output, Held held) throws Exception {
    return faults.startEmbedded("run", output, held, output.options());
  }
}
