package dev.anneal.training.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.JavaProcess;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What JavaCPP is told, each time in a JVM of its own. */
class NativeLibrariesTest {
  @TempDir Path folder;

  @Test
  void nativeMemoryHasNoLimitAndNoCollector() throws Exception {
    assertThat(settings(List.of())).contains("maxBytes 0, maxPhysicalBytes 0, collector false");
  }

  @Test
  void whatTheUserHasSetStays() throws Exception {
    assertThat(
            settings(
                List.of(
                    "-Dorg.bytedeco.javacpp.maxBytes=1g",
                    "-Dorg.bytedeco.javacpp.maxphysicalbytes=2g",
                    "-Dorg.bytedeco.javacpp.noPointerGC=false")))
        .contains("maxBytes %s, maxPhysicalBytes %s, collector true".formatted(1L << 30, 2L << 30));
  }

  private String settings(List<String> jvmOptions) throws Exception {
    try (JavaProcess process =
        JavaProcess.start(Settings.class, folder.resolve("log"), jvmOptions, List.of())) {
      assertThat(process.await(Duration.ofMinutes(2))).as(process.output()).isZero();
      return process.output();
    }
  }

  static final class Settings {
    private Settings() {}

    public static void main(String[] args) {
      NativeLibraries.load();
      boolean collector =
          Thread.getAllStackTraces().keySet().stream()
              .anyMatch(thread -> thread.getName().startsWith("JavaCPP Deallocator"));
      System.out.printf(
          "maxBytes %s, maxPhysicalBytes %s, collector %s%n",
          Pointer.maxBytes(), Pointer.maxPhysicalBytes(), collector);
    }
  }
}
