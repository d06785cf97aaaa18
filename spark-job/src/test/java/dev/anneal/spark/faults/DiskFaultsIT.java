package dev.anneal.spark.faults;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.SubmittedJob;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Disks that have no room left. */
@ExtendWith(FaultsExtension.class)
class DiskFaultsIT {
  private static final long SMALL = 64 * 1024;
  private static final long ROOM = 16 * 1024 * 1024;

  private final Faults faults;
  @TempDir Path folder;

  DiskFaultsIT(Faults faults) {
    this.faults = faults;
  }

  @Test
  @Tag("faults")
  void aFullOutputDiskEndsTheRunWhichGoesOnWhenThereIsRoom() throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk"));
    Filler filler = new Filler(disk.resolve("filler"));
    Shell.run("mount -t tmpfs -o size=%s tmpfs %s".formatted(ROOM, disk));
    try {
      RunOutput output = faults.prepared(disk.resolve("full"));
      Held held = Held.in(Phases.forward(1, 5), folder);
      try (SubmittedJob job = faults.startEmbedded("train", output, held)) {
        held.await();
        List<ProcessHandle> processes = job.processes();
        output.awaitCheckpoint(3);
        filler.fill();
        held.release();
        assertThat(job.await()).as(job.out() + job.err()).isEqualTo(1);
        assertThat(job.out())
            .containsPattern("The checkpoint after step 6 is missing: .*No space left");
        assertThat(job.err().lines())
            .singleElement()
            .asString()
            .contains("No space left on device", "The same command goes on after step 3.");
        // what has no room would have none again
        assertThat(job.out()).doesNotContain("Beginning again");
        assertThat(output.folder().resolve("adapter")).doesNotExist();
        job.assertNothingLeft(processes);
      }
      filler.empty();
      try (SubmittedJob again = faults.startEmbedded("train", output)) {
        assertThat(again.await()).as(again.out() + again.err()).isZero();
        assertThat(again.out()).contains("Going on after step 3 ...");
      }
      output.assertSameAs(faults.undisturbed());
      output.assertComplete();
    } finally {
      Shell.run("umount -l " + disk);
    }
  }

  @Test
  @Tag("faults")
  void aFullLocalDiskEndsTheRunWhichGoesOnWhenThereIsRoom() throws Exception {
    RunOutput output = faults.output("local-disk");
    List<Node> nodes = faults.cluster().nodes();
    nodes.forEach(node -> node.mountSmallDisk(node.localDisk(), ROOM));
    Held held = Held.in(Phases.shuffle(), folder);
    try (SubmittedJob job = faults.start("run", output, held)) {
      held.await();
      nodes.forEach(node -> node.fill(node.localDisk()));
      held.release();
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(1);
      assertThat(job.err().lines()).singleElement().asString().contains("No space left on device");
      faults.cluster().assertNoExecutors();
    } finally {
      nodes.forEach(node -> node.unmount(node.localDisk()));
    }
    assertThat(output.folder().resolve("adapter")).doesNotExist();
    assertTrains(output);
  }

  @Test
  @Tag("faults")
  void sharedMemoryIsNotNeeded() throws Exception {
    Path shm = Path.of("/dev/shm");
    List<Node> nodes = faults.cluster().nodes();
    for (Node node : nodes) {
      node.mountSmallDisk(shm, SMALL);
      node.fill(shm);
    }
    try {
      assertTrains(faults.output("shm"));
    } finally {
      nodes.forEach(node -> node.unmount(shm));
    }
  }

  private void assertTrains(RunOutput output) throws Exception {
    try (SubmittedJob job = faults.start("run", output)) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
    output.assertSameAs(faults.undisturbed());
  }
}
