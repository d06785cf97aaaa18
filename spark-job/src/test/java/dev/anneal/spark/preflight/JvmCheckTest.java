package dev.anneal.spark.preflight;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.Anneal;
import dev.anneal.spark.SubmittedJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JvmCheckTest {
  @TempDir Path folder;

  @Test
  void aJvmThatArrowCannotUseIsRefusedBeforeAnythingIsDone() throws Exception {
    Path said = folder.resolve("said");
    Process java =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Anneal.class.getName(),
                "prep",
                "--config",
                SubmittedJob.recipe().toString(),
                "--set",
                "output.path=" + folder.resolve("out"))
            .redirectErrorStream(true)
            .redirectOutput(said.toFile())
            .start();
    assertThat(java.waitFor()).as(said(said)).isEqualTo(2);
    assertThat(said(said))
        .contains(
            "anneal: The driver's JVM keeps java.nio closed", "--add-opens=java.base/java.nio");
    assertThat(folder.resolve("out")).doesNotExist();
  }

  private static String said(Path file) throws IOException {
    return Files.readString(file, UTF_8);
  }
}
