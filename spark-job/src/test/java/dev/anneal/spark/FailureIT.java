package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is left of a run that cannot go on: the cause, and no process. */
class FailureIT {
  private static final Duration SOON = Duration.ofMinutes(1);

  @TempDir static Path folder;

  /** A data set that the tests train on, in the order of its rows. */
  @BeforeAll
  static void prepare() throws Exception {
    try (SubmittedJob job = SubmittedJob.start(folder, command("prep", "prepared"))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
    }
  }

  @Test
  void aRankThatThrowsEndsTheRunWithItsError() throws Exception {
    Path output = copyOfDataset("damaged");
    Path part = output.resolve("dataset/part-00001.arrow");
    // of the right length, so that only reading its rows finds out
    byte[] noise = new byte[Math.toIntExact(Files.size(part))];
    new Random(1).nextBytes(noise);
    Files.write(part, noise);
    try (SubmittedJob job = SubmittedJob.start(folder, command("train", "damaged"))) {
      job.awaitOutput("step ");
      assertEndsWith("Rank [01] on \\S+ failed: .*part-00001\\.arrow.*", job, job.processes());
    }
    assertFailed(output, "part-00001.arrow");
  }

  @Test
  void aProcessThatDiesEndsTheRunWithItsName() throws Exception {
    Path output = copyOfDataset("killed");
    try (SubmittedJob job = SubmittedJob.start(folder, endless("killed", "cluster.attempts=1"))) {
      job.awaitOutput("step ");
      List<ProcessHandle> processes = job.processes();
      job.executors().get(0).destroyForcibly();
      assertEndsWith("The process of rank [01] on \\S+ was lost.*", job, processes);
    }
    assertFailed(output, "was lost");
  }

  @Test
  void aRunThatIsToldToEndEndsAndSaysSo() throws Exception {
    Path output = copyOfDataset("interrupted");
    try (SubmittedJob job = SubmittedJob.start(folder, endless("interrupted"))) {
      job.awaitOutput("step ");
      List<ProcessHandle> processes = job.processes();
      job.terminate();
      assertThat(job.await()).isEqualTo(143);
      job.assertNothingLeft(processes);
      assertFailed(output, "interrupted");
      assertThat(job.out()).contains("There is no checkpoint yet: the same command begins anew.");
    }
  }

  /** Asserts that the job soon fails with this sentence, said at once and last, and is gone. */
  private static void assertEndsWith(
      String sentence, SubmittedJob job, List<ProcessHandle> processes) throws Exception {
    long start = System.nanoTime();
    assertThat(job.await()).as(job.out() + job.err()).isEqualTo(1);
    assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(SOON);
    job.assertNothingLeft(processes);
    assertThat(job.out().lines()).anyMatch(line -> line.matches(sentence));
    assertThat(job.err().lines()).singleElement().asString().matches("anneal: " + sentence);
  }

  private static void assertFailed(Path output, String error) throws IOException {
    JsonNode run = new ObjectMapper().readTree(output.resolve("run.json").toFile());
    assertThat(run.path("state").asText()).isEqualTo("failed");
    assertThat(run.path("error").asText()).contains(error);
    assertThat(output.resolve("adapter")).doesNotExist();
  }

  private static String[] endless(String output, String... sets) {
    List<String> all =
        new ArrayList<>(List.of("training.epochs=null", "training.max_steps=100000"));
    all.addAll(List.of(sets));
    return command("train", output, all.toArray(String[]::new));
  }

  private static String[] command(String command, String output, String... sets) {
    List<String> args =
        new ArrayList<>(List.of(command, "--config", SubmittedJob.recipe().toString()));
    List<String> all =
        new ArrayList<>(
            List.of(
                "output.path=" + folder.resolve(output),
                "data.shuffle=false",
                "data.packing=false",
                "data.eval_rows=0",
                "training.epochs=1"));
    all.addAll(List.of(sets));
    all.forEach(set -> args.addAll(List.of("--set", set)));
    return args.toArray(String[]::new);
  }

  private static Path copyOfDataset(String name) throws IOException {
    Path copy = folder.resolve(name);
    Files.createDirectories(copy.resolve("dataset"));
    try (var files = Files.list(folder.resolve("prepared/dataset"))) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve("dataset").resolve(file.getFileName()));
      }
    }
    return copy;
  }
}
