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
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Native memory and live handles stay level over some hundred steps, each kind in a process of its
 * own.
 */
class LevelMemoryTest {
  private static final int STEPS = 300;
  private static final int WARM_UP = 50;

  /** What malloc may still move; a leak of one activation a step is several times that. */
  private static final long TOLERANCE_BYTES = 3L << 20;

  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource
  void nothingGrowsAfterWarmUp(Kind kind) throws IOException, InterruptedException {
    Map<Long, Sample> samples = run(kind);
    Sample warm = samples.get((long) WARM_UP);
    Sample last = samples.get((long) STEPS);
    System.out.printf(
        "memory, %s: %d handles, %+d KiB resident from step %d to %d%n",
        kind, warm.handles(), (last.residentBytes() - warm.residentBytes()) >> 10, WARM_UP, STEPS);
    for (long step = 1; step <= STEPS; step++) {
      Sample sample = samples.get(step);
      assertThat(sample.handles()).as("handles at step %d", step).isEqualTo(warm.handles());
      assertThat(sample.handleBytes()).as("bytes at step %d", step).isEqualTo(warm.handleBytes());
    }
    assertThat(last.residentBytes()).isLessThan(warm.residentBytes() + TOLERANCE_BYTES);
    assertThat(samples.get(-1L).handles())
        .as("handles after the run")
        .isEqualTo(samples.get(0L).handles());
  }

  private Map<Long, Sample> run(Kind kind) throws IOException, InterruptedException {
    Golden.path("model");
    // a heap that is resident from the start, and no late work of the optimizing compiler: what
    // grows then is libtorch's
    List<String> options =
        List.of(
            "-Xms128m",
            "-Xmx128m",
            "-XX:+AlwaysPreTouch",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            // JavaCPP counts its handles only then
            "-Dorg.bytedeco.javacpp.nopointergc=false");
    List<String> args =
        List.of(kind.name(), Integer.toString(STEPS), folder.resolve("output").toString());
    try (JavaProcess process =
        JavaProcess.start(MemorySamples.class, folder.resolve("log"), options, args)) {
      assertThat(process.await(Duration.ofMinutes(2))).as(process.output()).isZero();
      return process
          .output()
          .lines()
          .filter(line -> line.startsWith(kind.name()))
          .map(Sample::parse)
          .collect(Collectors.toMap(Sample::step, Function.identity()));
    }
  }
}
