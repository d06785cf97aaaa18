package dev.anneal.data.hub;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PartialFileTest {
  @TempDir Path folder;

  @Test
  void isOneUsersAloneAndTheNextOnesAfterwards() throws Exception {
    try (PartialFile first = PartialFile.claim(folder, "a")) {
      Files.writeString(first.path(), "begun");
      try (PartialFile second = PartialFile.claim(folder, "a")) {
        assertThat(second.path()).isEmptyFile();
        Files.delete(second.path());
      }
    }
    try (PartialFile next = PartialFile.claim(folder, "a");
        PartialFile other = PartialFile.claim(folder, "b")) {
      assertThat(next.path()).hasContent("begun");
      assertThat(other.path()).isEmptyFile();
    }
  }

  @Test
  void ofAProcessThatIsGoneIsTakenOver() throws Exception {
    Process process = new ProcessBuilder("true").start();
    process.waitFor();
    String host = InetAddress.getLocalHost().getHostName();
    Path gone = folder.resolve("a.%s-1-0@%s.part".formatted(process.pid(), host));
    Files.writeString(gone, "begun");
    Path elsewhere = folder.resolve("a.%s-1-0@elsewhere.part".formatted(process.pid()));
    Files.writeString(elsewhere, "of another host");
    try (PartialFile next = PartialFile.claim(folder, "a");
        PartialFile another = PartialFile.claim(folder, "a")) {
      assertThat(next.path()).hasContent("begun");
      assertThat(another.path()).isEmptyFile();
    }
    assertThat(elsewhere).exists();
  }
}
