package dev.anneal.spark.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.SubmittedJob;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command on the embedded cluster, whose two executors are processes. */
class DoctorIT {
  @TempDir Path folder;

  @Test
  void looksOnDriverAndExecutorsAndLeavesNothingBehind() throws Exception {
    Path output = folder.resolve("out");
    try (SubmittedJob job =
        SubmittedJob.start(
            folder,
            "doctor",
            "--json",
            "--config",
            SubmittedJob.recipe().toString(),
            "--set",
            "output.path=" + output)) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      JsonNode said = new ObjectMapper().readTree(job.out());
      assertThat(said.path("stops")).isEmpty();
      assertThat(said.path("places").findValuesAsText("place"))
          .containsExactlyInAnyOrder("driver", "executor 0", "executor 1");
      for (JsonNode place : said.path("places")) {
        JsonNode checks = place.path("checks");
        assertThat(value(checks, "output.path")).matches("w \\d+ MB/s, r \\d+ MB/s");
        assertThat(value(checks, "model.path")).isEqualTo("readable");
        if (!place.path("place").asText().equals("driver")) {
          assertThat(value(checks, "libtorch")).contains(" cpu, ");
          assertThat(value(checks, "network")).isEqualTo("1 of 1 peers");
          assertThat(value(checks, "bandwidth")).matches("[1-9]\\d* MB/s");
          assertThat(value(checks, "clock")).matches("[+-]\\d+ ms, \\+-\\d+");
        }
      }
    }
    try (Stream<Path> left = Files.list(output)) {
      assertThat(left).isEmpty();
    }
  }

  @Test
  void saysInOneSentenceEachWhatWouldStopARun() throws Exception {
    Path file = Files.createFile(folder.resolve("file"));
    try (SubmittedJob job =
        SubmittedJob.start(
            folder,
            "doctor",
            "--config",
            SubmittedJob.recipe().toString(),
            "--set",
            "cluster.nodes=3",
            "--set",
            "model.path=" + folder.resolve("none"),
            "--set",
            "output.path=" + file.resolve("out"))) {
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(1);
      List<String> stops = job.out().lines().filter(line -> line.startsWith("- ")).toList();
      assertThat(stops).hasSize(3);
      assertThat(stops)
          .anyMatch(
              line ->
                  line.matches(
                      "- driver, executor \\d, executor \\d: model.path .*/none: '.*/none/config.json' does not exist: .*"))
          .anyMatch(
              line ->
                  line.matches(
                      "- driver, executor \\d, executor \\d: output.path .*/file/out cannot be written and read \\(.*\\): .*"))
          .anyMatch(
              line -> line.startsWith("- driver: cluster.nodes asks for 3 barrier tasks at once"));
      assertThat(job.err()).isEqualTo("anneal: 3 things that are found above would stop a run.\n");
    }
  }

  private static String value(JsonNode checks, String check) {
    return checks.path(check).path("value").asText();
  }
}
