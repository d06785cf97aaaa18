package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The same command on what a killed run has left, after somebody's hands were in it. */
@Tag("faults")
class DamagedOutputIT {
  private static final String REFUSED = "holds checkpoints, and none of them can be used (";

  @TempDir Path folder;

  @Test
  void checkpointsThatCannotBeUsedOrFoundAreNeverReplaced() throws Exception {
    Path kept = interruptedRun();
    Path output = folder.resolve("out");

    for (Path manifest : manifests(output)) {
      Files.writeString(manifest, "{");
    }
    assertRefused(output, REFUSED);

    restore(kept, output);
    for (Path manifest : manifests(output)) {
      Files.delete(manifest);
    }
    assertRefused(output, REFUSED);

    restore(kept, output);
    Files.writeString(output.resolve("checkpoints/index.json"), "{\"steps\":[999]}");
    assertRefused(output, REFUSED);

    restore(kept, output);
    run("rm -r " + output + "/checkpoints/step-*");
    assertRefused(output, REFUSED);

    restore(kept, output);
    // begins as UTF-32 does
    Files.write(output.resolve("run.json"), new byte[] {0, 0, 0, '{', 0, 1, 2, 3, 4, 5, 6, 7});
    assertRefused(output, "run.json is damaged");

    restore(kept, output);
    run("rm %1$s && mkfifo %1$s".formatted(output.resolve("run.json")));
    assertRefused(output, "run.json is no regular file, but a pipe");

    restore(kept, output);
    // one that is no file costs itself alone
    List<Path> manifests = manifests(output);
    Path newest = manifests.get(manifests.size() - 1);
    run("rm %1$s && mkfifo %1$s".formatted(newest));
    try (SubmittedJob job = SubmittedJob.start(folder, command("training.max_steps=60"))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out())
          .contains("A checkpoint is left out: " + newest + " is no regular file.")
          .containsPattern("Going on after step \\d+ \\.\\.\\.");
    }
  }

  /** A copy of what a run leaves that is killed after its second checkpoint. */
  private Path interruptedRun() throws Exception {
    Path output = folder.resolve("out");
    try (SubmittedJob job = SubmittedJob.start(folder, command("training.max_steps=60"))) {
      job.awaitFile(output.resolve("checkpoints/step-00000004/manifest.json"));
      job.driver().destroyForcibly();
      assertThat(job.await()).isEqualTo(128 + 9);
    }
    Path kept = folder.resolve("kept");
    run("cp -r %s %s".formatted(output, kept));
    return kept;
  }

  private static void restore(Path kept, Path output) throws Exception {
    run("rm -rf %2$s && cp -r %1$s %2$s".formatted(kept, output));
  }

  private void assertRefused(Path output, String words) throws Exception {
    try (SubmittedJob job = SubmittedJob.start(folder, command("training.max_steps=60"))) {
      assertThat(job.await()).as(job.out() + job.err()).isEqualTo(2);
      assertThat(job.err().lines())
          .singleElement()
          .asString()
          .startsWith("anneal: output.path " + output)
          .contains(words, "--overwrite");
    }
  }

  private static List<Path> manifests(Path output) throws IOException {
    try (Stream<Path> steps = Files.list(output.resolve("checkpoints"))) {
      return steps
          .map(step -> step.resolve("manifest.json"))
          .filter(Files::exists)
          .sorted()
          .toList();
    }
  }

  private static void run(String command) throws Exception {
    assertThat(new ProcessBuilder("bash", "-c", command).inheritIO().start().waitFor()).isZero();
  }

  private static String[] command(String... sets) {
    List<String> args = new ArrayList<>(List.of("run", "--config=" + SubmittedJob.recipe()));
    args.addAll(List.of("--set=output.path=out", "--set=checkpoint.every_steps=2"));
    for (String set : sets) {
      args.add("--set=" + set);
    }
    return args.toArray(String[]::new);
  }
}
