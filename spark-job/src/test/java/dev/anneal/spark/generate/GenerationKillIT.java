package dev.anneal.spark.generate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.LocalSpark;
import dev.anneal.spark.generate.Commands.Executed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that is told to end in the middle of many prompts, and the same command after it. */
class GenerationKillIT {
  private static final int PROMPTS = 150;
  private static final long PATIENCE_SECONDS = 60;
  private static SparkSession spark;

  @TempDir Path dir;

  @BeforeAll
  static void start() {
    spark = LocalSpark.session(2);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @Test
  void theSameCommandGoesOnAndNothingIsLost() throws Exception {
    Path prompts = dir.resolve("prompts.txt");
    Files.write(prompts, IntStream.range(0, PROMPTS).mapToObj(i -> "Sing number " + i).toList());
    String expected = whole(prompts);

    Path output = dir.resolve("answers.jsonl");
    Process process = Commands.process(asked(prompts, output));
    Heard err = new Heard(process.getErrorStream());
    try {
      err.await("/150 prompts  ", 1);
      Commands.signal("TERM", process);
      assertThat(process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    err.await("prompts are answered: the same command goes on behind them", 1);
    assertThat(err.text()).contains(" tokens/s  ", " left");
    assertThat(process.exitValue()).isEqualTo(143);
    assertThat(output).doesNotExist();

    Executed again = Commands.generate(asked(prompts, output));
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(again.err()).contains("Going on: ");
    assertThat(output).hasContent(expected);
  }

  private String whole(Path prompts) throws IOException {
    Path output = dir.resolve("undisturbed.jsonl");
    Executed executed = Commands.generate(asked(prompts, output));
    assertThat(executed.code()).as(executed.err()).isZero();
    return Files.readString(output);
  }

  private static String[] asked(Path prompts, Path output) {
    return List.of(
            "--prompts",
            prompts.toString(),
            "--output",
            output.toString(),
            "--temperature",
            "2",
            "--batch-size",
            "1",
            "--max-tokens",
            "64")
        .toArray(String[]::new);
  }
}
