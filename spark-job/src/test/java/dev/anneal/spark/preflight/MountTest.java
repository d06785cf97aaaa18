package dev.anneal.spark.preflight;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MountTest {
  @TempDir Path folder;

  @Test
  void findsTheDeepestThatHoldsAPlace() throws IOException {
    Path share = Files.createDirectories(folder.toRealPath().resolve("a share"));
    List<String> mountinfo =
        List.of(
            "27 1 8:1 / / rw,relatime shared:1 - overlay overlay rw",
            "36 27 98:0 /x %s rw,noatime master:1 - ext4 /dev/root rw,errors=continue"
                .formatted(folder.toRealPath()),
            "37 36 0:50 / %s rw - nfs4 server:/share rw,vers=4.2"
                .formatted(share.toString().replace(" ", "\\040")));
    assertThat(Mount.of(share.resolve("not/there"), mountinfo)).isEqualTo(new Mount(share, "nfs4"));
    assertThat(Mount.of(folder, mountinfo).type()).isEqualTo("ext4");
    assertThat(Mount.of(Path.of("/etc"), mountinfo).isRoot()).isTrue();
  }

  @Test
  void readsWhatLinuxLists() throws IOException {
    assertThat(Mount.of(Path.of("/proc/self"))).isEqualTo(new Mount(Path.of("/proc"), "proc"));
    assertThat(Mount.of(Path.of("/not/there")).isRoot()).isTrue();
  }
}
