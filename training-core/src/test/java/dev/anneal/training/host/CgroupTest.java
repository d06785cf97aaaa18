package dev.anneal.training.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CgroupTest {
  @TempDir Path root;

  @Test
  void theLowestLimitOfVersion2HoldsUpToTheRoot() throws IOException {
    write("memory.max", "max");
    write("kubepods/memory.max", "34359738368");
    write("kubepods/pod1/memory.max", "max");
    assertThat(Cgroup.memoryLimit("0::/kubepods/pod1\n", root)).hasValue(32L << 30);
    write("kubepods/pod1/memory.max", "17179869184\n");
    assertThat(Cgroup.memoryLimit("0::/kubepods/pod1\n", root)).hasValue(16L << 30);
  }

  @Test
  void inAContainerItsOwnGroupIsTheRoot() throws IOException {
    write("memory.max", "17179869184");
    assertThat(Cgroup.memoryLimit("0::/../../not/mounted/here\n", root)).isEmpty();
    assertThat(Cgroup.memoryLimit("0::/not/mounted/here\n", root)).hasValue(16L << 30);
    assertThat(Cgroup.memoryLimit("0::/\n", root)).hasValue(16L << 30);
  }

  @Test
  void version1HasAHierarchyOfItsOwnAndANumberForNoLimit() throws IOException {
    String groups = "9:name=systemd:/\n4:memory:/docker/1\n1:cpu:/\n0::/\n";
    write("memory/memory.limit_in_bytes", "9223372036854771712\n");
    assertThat(Cgroup.memoryLimit(groups, root)).isEmpty();
    write("memory/docker/1/memory.limit_in_bytes", "8589934592\n");
    assertThat(Cgroup.memoryLimit(groups, root)).hasValue(8L << 30);
  }

  @Test
  void whatIsUsedIsToldWithoutFilesThatTheKernelGivesUp() throws IOException {
    write("memory.max", "1000");
    write("memory.current", "700\n");
    write("memory.stat", "anon 300\nfile 400\ninactive_file 250\nactive_file 150\n");
    assertThat(Cgroup.limits("0::/\n", root)).containsExactly(new Cgroup.Limit(1000, 300));
    write("memory/memory.limit_in_bytes", "900");
    write("memory/memory.usage_in_bytes", "1000");
    write("memory/memory.stat", "inactive_file 1\ntotal_inactive_file 50\n");
    assertThat(Cgroup.limits("4:memory:/\n", root)).containsExactly(new Cgroup.Limit(900, 950));
    assertThat(new Cgroup.Limit(900, 950).freeBytes()).isZero();
  }

  @Test
  void thisProcessHasOneOrNone() throws IOException {
    Cgroup.memoryLimit().ifPresent(bytes -> assertThat(bytes).isPositive());
  }

  private void write(String name, String text) throws IOException {
    Path file = root.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
