package dev.anneal.training.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class CudaLibrariesTest {
  @Test
  void namesThoseThatDoNotLoad() {
    assertThat(CudaLibraries.missing(List.of("libm.so.6", "libnone.so.1")))
        .hasSize(1)
        .hasEntrySatisfying(
            "libnone.so.1", words -> assertThat(words).contains("libnone.so.1", "No such file"));
  }

  @Test
  void readsNcclsVersionAsItIsCounted() {
    assertThat(CudaLibraries.ncclVersion(22803)).isEqualTo("2.28.3");
  }

  @Test
  @Tag("gpu")
  void findsAllOnAGpuHost() {
    assertThat(CudaLibraries.missing()).isEmpty();
    assertThat(CudaLibraries.ncclVersion()).startsWith("2.");
  }
}
