package dev.anneal.training.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostMemoryTest {
  @TempDir Path root;

  @BeforeEach
  void aMachineOf256Mebibytes() throws IOException {
    write("proc/meminfo", "MemTotal:  262144 kB\nMemFree: 1 kB\nMemAvailable:  131072 kB\n");
    write("proc/self/cgroup", "0::/pod\n");
  }

  @Test
  void withoutAContainerTheMachineCounts() throws IOException {
    HostMemory memory = HostMemory.read(root);
    assertThat(memory.totalBytes()).isEqualTo(256L << 20);
    assertThat(memory.freeBytes()).isEqualTo(128L << 20);
    assertThat(memory.containerFreeBytes()).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void theContainersLimitHoldsWhereItIsLower() throws IOException {
    write("sys/fs/cgroup/pod/memory.max", Long.toString(64L << 20));
    write("sys/fs/cgroup/pod/memory.current", Long.toString(48L << 20));
    write("sys/fs/cgroup/pod/memory.stat", "inactive_file " + (16L << 20) + "\n");
    HostMemory memory = HostMemory.read(root);
    assertThat(memory.totalBytes()).isEqualTo(64L << 20);
    assertThat(memory.freeBytes()).isEqualTo(32L << 20);
    assertThat(memory.machineFreeBytes()).isEqualTo(128L << 20);
    assertThat(memory.container()).isEqualTo("0::/pod\n");
  }

  @Test
  void whatTheProcessHasIsTold() throws IOException {
    assertThat(HostMemory.read(root).ownBytes()).isZero();
    write("proc/self/status", "Name:\tjava\nVmPeak:\t    4096 kB\nVmRSS:\t    2048 kB\n");
    assertThat(HostMemory.read(root).ownBytes()).isEqualTo(2L << 20);
  }

  @Test
  void thisMachineHasSome() {
    assertThat(HostMemory.here().freeBytes()).isPositive();
    assertThat(HostMemory.here().ownBytes()).isPositive();
  }

  private void write(String name, String text) throws IOException {
    Path file = root.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
