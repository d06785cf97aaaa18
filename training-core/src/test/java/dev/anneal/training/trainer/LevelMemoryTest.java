package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.Golden;
import dev.anneal.training.JavaProcess;
import dev.anneal.training.trainer.MemorySamples.Kind;
import dev.anneal.training.trainer.MemorySamples.Sample;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Native memory and live handles stay level over some hundred steps, in a process of their own. */
class LevelMemoryTest {
  private static final int STEPS = 300;
  private static final int WARM_UP = 50;

  /** What malloc may still move; a leak of one activation a step is several times that. */
  private static final long TOLERANCE_BYTES = 3L << 20;

  @TempDir static Path folder;
  private static List<Sample> samples;

  @BeforeAll
  static void run() throws IOException, InterruptedException {
    Golden.path("model");
    // a heap that is resident from the start, and no late work of the optimizing compiler: what
    // grows then is libtorch's
    List<String> options =
        List.of(
            "-Xms128m",
            "-Xmx128m",
            "-XX:+AlwaysPreTouch",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1");
    List<String> args = List.of(Integer.toString(STEPS), folder.resolve("output").toString());
    try (JavaProcess process =
        JavaProcess.start(MemorySamples.class, folder.resolve("log"), options, args)) {
      assertThat(process.await(Duration.ofMinutes(2))).as(process.output()).isZero();
      samples =
          process
              .output()
              .lines()
              .filter(line -> line.startsWith("LORA") || line.startsWith("FULL"))
              .map(Sample::parse)
              .toList();
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingGrowsAfterWarmUp(Kind kind) {
    Sample before = sample(kind, 0);
    Sample warm = sample(kind, WARM_UP);
    Sample last = sample(kind, STEPS);
    System.out.printf(
        "memory, %s: %d handles, %+d KiB resident from step %d to %d%n",
        kind, warm.handles(), (last.residentBytes() - warm.residentBytes()) >> 10, WARM_UP, STEPS);
    for (Sample sample : samples) {
      if (sample.kind() == kind && sample.step() > 0) {
        assertThat(sample.handles())
            .as("handles at step %d", sample.step())
            .isEqualTo(warm.handles());
        assertThat(sample.handleBytes())
            .as("bytes at step %d", sample.step())
            .isEqualTo(warm.handleBytes());
      }
    }
    assertThat(last.residentBytes()).isLessThan(warm.residentBytes() + TOLERANCE_BYTES);
    assertThat(sample(kind, -1).handles()).as("handles after the run").isEqualTo(before.handles());
  }

  private static Sample sample(Kind kind, long step) {
    return samples.stream()
        .filter(sample -> sample.kind() == kind && sample.step() == step)
        .findFirst()
        .orElseThrow();
  }
}
