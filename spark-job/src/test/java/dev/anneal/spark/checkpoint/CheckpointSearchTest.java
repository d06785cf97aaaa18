package dev.anneal.spark.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is found among checkpoints of which some are not as they should be. */
class CheckpointSearchTest {
  @TempDir Path output;
  private WrittenCheckpoints run;

  /** Three complete ones, after 10, 20 and 30 steps. */
  @BeforeEach
  void write() throws Exception {
    run = new WrittenCheckpoints(output);
    try (CheckpointCommitter committer = run.committer(3)) {
      committer.begin("a-1");
      for (long step = 10; step <= 30; step += 10) {
        run.take(committer, "a-1", step);
      }
    }
  }

  @Test
  void findsNothingInANewFolder(@TempDir Path empty) throws Exception {
    assertThat(new WrittenCheckpoints(empty).usable()).isEmpty();
  }

  @Test
  void leavesOutOneThatIsTruncated() throws Exception {
    Files.write(rankFile(30), new byte[1]);
    assertThat(run.usable()).containsExactly(20L, 10L);
    assertThat(run.search().leftOut())
        .singleElement()
        .asString()
        .contains("step-00000030", "rank-00000-of-00002.safetensors", "1 bytes");
  }

  @Test
  void leavesOutOneWhoseBestCannotBeUsed(@TempDir Path other) throws Exception {
    WrittenCheckpoints judged = new WrittenCheckpoints(other);
    try (CheckpointCommitter committer = judged.committer(3)) {
      committer.begin("a-1");
      judged.takeWithBest(committer, "a-1", 10, 10);
      judged.takeWithBest(committer, "a-1", 20, 20);
      judged.takeWithBest(committer, "a-1", 30, 20);
    }
    assertThat(judged.usable()).containsExactly(30L, 20L, 10L);
    Files.delete(other.resolve("checkpoints/step-00000020/a-1/samples.json"));
    assertThat(judged.usable()).containsExactly(10L);
    assertThat(judged.search().leftOut())
        .hasSize(2)
        .last()
        .asString()
        .contains("step-00000030", "the checkpoint after step 20 as its best");
  }

  @Test
  void leavesOutOneThatLacksAFile() throws Exception {
    Files.delete(rankFile(30));
    assertThat(run.usable()).containsExactly(20L, 10L);
    assertThat(run.search().leftOut()).singleElement().asString().contains("lacks");
  }

  @Test
  void passesOverOneThatWasNotCompleted() throws Exception {
    Files.delete(manifest(30));
    assertThat(run.usable()).containsExactly(20L, 10L);
    assertThat(run.search().leftOut()).isEmpty();
  }

  @Test
  void leavesOutOneWhoseManifestIsDamaged() throws Exception {
    byte[] json = Files.readAllBytes(manifest(30));
    Files.write(manifest(30), Arrays.copyOf(json, json.length / 2));
    assertThat(run.usable()).containsExactly(20L, 10L);
    assertThat(run.search().leftOut()).singleElement().asString().contains("step-00000030");
  }

  @Test
  void leavesOutOneWhoseManifestIsNoFile() throws Exception {
    Files.delete(manifest(30));
    new ProcessBuilder("mkfifo", manifest(30).toString()).start().waitFor();
    Files.delete(manifest(20));
    Files.createDirectory(manifest(20));
    assertThat(run.usable()).containsExactly(10L);
    assertThat(run.search().leftOut())
        .anyMatch(reason -> reason.contains("step-00000030/manifest.json is no regular file"))
        .anyMatch(reason -> reason.contains("step-00000020/manifest.json is no regular file"));
  }

  @Test
  void leavesOutOneThatLiesInTheFolderOfAnotherStep() throws Exception {
    Files.copy(manifest(20), manifest(30), StandardCopyOption.REPLACE_EXISTING);
    assertThat(run.usable()).containsExactly(20L, 10L);
  }

  @Test
  void leavesOutOneOfAnotherRun(@TempDir Path elsewhere) throws Exception {
    WrittenCheckpoints other = new WrittenCheckpoints(elsewhere);
    try (CheckpointCommitter committer =
        new CheckpointCommitter(
            other.folder, WrittenCheckpoints.identity("16"), 1, List.of(), other)) {
      committer.begin("b-1");
      other.take(committer, "b-1", 30);
    }
    Files.copy(
        elsewhere.resolve("checkpoints/step-00000030/manifest.json"),
        manifest(30),
        StandardCopyOption.REPLACE_EXISTING);
    assertThat(run.usable()).containsExactly(20L, 10L);
    assertThat(run.search().leftOut())
        .singleElement()
        .asString()
        .contains("lora.r is 16 there and 8 here");
  }

  @Test
  void refusesARunThatNoneOfThemFits() {
    assertThatThrownBy(() -> CheckpointSearch.in(run.folder, WrittenCheckpoints.identity("64")))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("lora.r is 8 there and 64 here")
        .hasMessageContaining("--overwrite");
  }

  @Test
  void refusesARunAllOfWhoseCheckpointsAreDamaged() throws Exception {
    for (long step : List.of(10L, 20L, 30L)) {
      Files.writeString(manifest(step), "{");
    }
    assertThatThrownBy(() -> run.search())
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("none of them can be used (")
        .hasMessageContaining("step-00000030")
        .hasMessageContaining("--overwrite");
  }

  @Test
  void saysThatAnIndexIsDamaged() throws Exception {
    Files.writeString(output.resolve("checkpoints/index.json"), "{\"steps\":[10,");
    assertThatThrownBy(() -> run.search())
        .isInstanceOf(InvalidCheckpointException.class)
        .hasMessageContaining("index.json is damaged");
  }

  private Path rankFile(long step) {
    return manifest(step).resolveSibling("a-1/rank-00000-of-00002.safetensors");
  }

  private Path manifest(long step) {
    return output.resolve(String.format(Locale.ROOT, "checkpoints/step-%08d/manifest.json", step));
  }
}
