package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.S3Server;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * A long run with a fault every few seconds, whatever it is doing then, ends in the adapter and the
 * metrics of an undisturbed one. {@code soak.faults} and {@code soak.seed} say how many and which.
 */
@Tag("soak")
@ExtendWith(FaultsExtension.class)
class SoakIT {
  private static final int FAULTS = Integer.getInteger("soak.faults", 100);
  private static final long SEED = Long.getLong("soak.seed", 1);

  private static final int EVERY_STEPS = 3;
  // from a fault to the next it gets by about twenty of them
  private static final int STEPS = Integer.getInteger("soak.steps", 30 * FAULTS);
  private static final int LONGEST_PEACE_MILLIS = 1000;

  private final Faults faults;
  @TempDir Path folder;

  SoakIT(Faults faults) {
    this.faults = faults;
  }

  @Test
  void manyFaultsChangeNothing() throws Exception {
    List<String> settings =
        List.of(
            "--set", "training.max_steps=" + STEPS,
            "--set", "checkpoint.every_steps=" + EVERY_STEPS);
    RunOutput undisturbed = new RunOutput(folder.resolve("undisturbed"));
    try (SubmittedJob job = faults.start("run", undisturbed, settings.toArray(String[]::new))) {
      assertThat(job.await(Duration.ofMinutes(20))).as(job.out() + job.err()).isZero();
    }
    SoakReport report = new SoakReport();
    try (S3Server server = S3Server.start(folder);
        FaultyStore store = FaultyStore.before(server, faults.cluster().network().join())) {
      StoreOutput output = new StoreOutput(store, server, "soak", "anyone");
      List<String> options = new ArrayList<>(settings);
      options.addAll(List.of(output.options()));
      try (Soak soak = new Soak(faults, output, options, new Random(SEED))) {
        disturb(soak, report);
        soak.awaitEnd();
      } finally {
        report.print();
      }
      faults.cluster().assertNoExecutors();
      output.copyTo(folder.resolve("copy")).assertSameAs(undisturbed);
    }
    assertThat(report.faults()).isGreaterThanOrEqualTo(FAULTS);
  }

  private static void disturb(Soak soak, SoakReport report) throws Exception {
    boolean running = soak.awaitBegin();
    while (running && report.faults() < FAULTS) {
      Thread.sleep(soak.random().nextInt(LONGEST_PEACE_MILLIS));
      SoakFault fault = SoakFault.any(soak.random());
      Soak.Checkpoint before = soak.lastCheckpoint();
      long start = System.nanoTime();
      fault.inject(soak);
      running = soak.awaitRecovery(fault, before, EVERY_STEPS);
      report.add(fault, Duration.ofNanos(System.nanoTime() - start), soak.lastCheckpoint().step());
    }
  }
}
