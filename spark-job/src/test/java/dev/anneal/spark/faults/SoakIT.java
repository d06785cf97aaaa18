package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import dev.anneal.spark.faults.SoakPlace.Checkpoint;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two long runs, one on an object store and one on a disk, with a fault every few seconds, whatever
 * they are doing then, end in the adapter and the metrics of undisturbed ones, and say of no cause
 * what is not true. {@code soak.faults} and {@code soak.seed} say how many faults and which; {@code
 * soak.share=2/8} does the second eighth of them, so that several machines or networks can share.
 */
@Tag("soak")
@ExtendWith(FaultsExtension.class)
class SoakIT {
  private static final int FAULTS = Integer.getInteger("soak.faults", 100);
  private static final long SEED = Long.getLong("soak.seed", 1);
  private static final String SHARE = System.getProperty("soak.share", "1/1");

  private static final int EVERY_STEPS = 3;
  // from a fault to the next it gets by about twenty-five of them
  private static final int STEPS_A_FAULT = 45;
  private static final int LONGEST_PEACE_MILLIS = 1000;

  // of what can be done to both
  private static final double STORE_SHARE = 0.75;

  private final Faults faults;
  private final Random random = new Random(SEED);
  private final SoakReport report = new SoakReport();
  @TempDir Path folder;

  SoakIT(Faults faults) {
    this.faults = faults;
  }

  @Test
  void manyFaultsChangeNothing() throws Exception {
    try (SoakStore store = new SoakStore(folder, faults.cluster().network().join());
        SoakDisk disk = new SoakDisk(faults.cluster().sharedDisk())) {
      List<SoakFault> atStore = new ArrayList<>();
      List<SoakFault> atDisk = new ArrayList<>();
      for (SoakFault fault : share()) {
        boolean both = fault.happensAt(store) && fault.happensAt(disk);
        boolean here = both ? random.nextDouble() < STORE_SHARE : fault.happensAt(store);
        (here ? atStore : atDisk).add(fault);
      }
      try {
        disturb("store", store, atStore);
        disturb("disk", disk, atDisk);
      } finally {
        report.print();
      }
      assertThat(report.faults()).isEqualTo(atStore.size() + atDisk.size());
    }
    assertThat(report.wrong()).as("sentences that are not true").isEmpty();
  }

  /** The faults of this share, of all in their order. */
  private List<SoakFault> share() {
    List<SoakFault> all = SoakFault.deal(FAULTS, random);
    int part = Integer.parseInt(SHARE.substring(0, SHARE.indexOf('/')));
    int parts = Integer.parseInt(SHARE.substring(SHARE.indexOf('/') + 1));
    return all.subList(all.size() * (part - 1) / parts, all.size() * part / parts);
  }

  private void disturb(String name, SoakPlace place, List<SoakFault> dealt) throws Exception {
    int steps = Math.max(Faults.STEPS, STEPS_A_FAULT * dealt.size());
    List<String> settings =
        List.of(
            "--set", "training.max_steps=" + steps,
            "--set", "checkpoint.every_steps=" + EVERY_STEPS);
    RunOutput undisturbed = new RunOutput(folder.resolve("undisturbed-" + name));
    try (SubmittedJob job = faults.start("run", undisturbed, settings.toArray(String[]::new))) {
      assertThat(job.await(Duration.ofMinutes(20))).as(job.out() + job.err()).isZero();
    }
    try (Soak soak = new Soak(faults, place, settings, random)) {
      disturb(soak, place, dealt);
      soak.awaitEnd();
    }
    faults.cluster().assertNoExecutors();
    place.result(folder.resolve("copy-" + name)).assertSameAs(undisturbed);
  }

  private void disturb(Soak soak, SoakPlace place, List<SoakFault> dealt) throws Exception {
    assertThat(soak.awaitBegin()).isTrue();
    soak.hear();
    for (SoakFault fault : dealt) {
      Thread.sleep(random.nextInt(LONGEST_PEACE_MILLIS));
      Checkpoint before = place.lastCheckpoint();
      long start = System.nanoTime();
      Set<String> hosts = fault.inject(soak);
      Checkpoint after = place.lastCheckpoint();
      boolean running = soak.awaitRecovery(fault, before, after.step() + 2 * EVERY_STEPS);
      report.add(fault, Duration.ofNanos(System.nanoTime() - start), place.lastCheckpoint().step());
      report.hear(fault, hosts, soak.hear());
      assertThat(running).as("it goes on until all is done to it").isTrue();
    }
  }
}
