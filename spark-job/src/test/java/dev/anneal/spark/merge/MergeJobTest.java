package dev.anneal.spark.merge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What comparing logits asks of the driver. */
class MergeJobTest {
  private static final String ROOT = "anneal.host.root";

  @TempDir Path root;

  @AfterEach
  void thisMachine() {
    System.clearProperty(ROOT);
  }

  @Test
  void memoryIsThatOfTheContainer() throws IOException {
    write("proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 8388608 kB\n");
    write("proc/self/cgroup", "0::/pod\n");
    write("sys/fs/cgroup/pod/memory.max", "5000000\n");
    write("sys/fs/cgroup/pod/memory.current", "1000000\n");
    System.setProperty(ROOT, root.toString());
    assertThat(MergeCheck.freeMemory()).isEqualTo(4_000_000);
  }

  @Test
  void aMachineThatSaysNothingIsAskedByTheJvm() {
    System.setProperty(ROOT, root.toString());
    assertThat(MergeCheck.freeMemory()).isBetween(1L, Long.MAX_VALUE - 1);
  }

  @Test
  void aLibraryThatIsNotThereIsTold() {
    assertThat(MergeJob.lackOfLibrary(() -> {})).isEmpty();
    assertThat(
            MergeJob.lackOfLibrary(
                () -> {
                  throw new UnsatisfiedLinkError("no jnitorch in java.library.path.\nMore");
                }))
        .contains("no jnitorch in java.library.path");
    assertThat(
            MergeJob.lackOfLibrary(
                () -> {
                  throw new UncheckedIOException("The cache is full.", new IOException());
                }))
        .contains("The cache is full");
    assertThatThrownBy(
            () ->
                MergeJob.lackOfLibrary(
                    () -> {
                      throw new IllegalStateException();
                    }))
        .isInstanceOf(IllegalStateException.class);
  }

  private void write(String name, String text) throws IOException {
    Path file = root.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
