package dev.anneal.spark.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.Attempt;
import dev.anneal.training.checkpoint.CheckpointManifest;
import dev.anneal.training.io.WrittenFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointCommitterTest {
  private static final Duration LONG = Duration.ofMinutes(1);

  @TempDir Path output;
  private WrittenCheckpoints run;

  @BeforeEach
  void begin() {
    run = new WrittenCheckpoints(output);
  }

  @Test
  void completesACheckpointWhenEveryRankHasWrittenItsPart() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      committer.written(run.part("a-1", 10, 1));
      committer.await(LONG);
      assertThat(manifest(10)).doesNotExist();

      committer.written(run.part("a-1", 10, 0));
      committer.await(LONG);
      assertThat(run.completed).containsExactly(10L);
      assertThat(committer.last().orElseThrow().step()).isEqualTo(10);
    }
    CheckpointManifest written =
        CheckpointManifest.parse(Files.readAllBytes(manifest(10)), "manifest");
    assertThat(written.worldSize()).isEqualTo(WrittenCheckpoints.RANKS);
    assertThat(written.identity()).isEqualTo(WrittenCheckpoints.identity("8"));
    assertThat(written.files())
        .extracting(WrittenFile::name)
        .containsExactlyInAnyOrder(
            "a-1/rank-00000-of-00002.safetensors",
            "a-1/rank-00001-of-00002.safetensors",
            "a-1/metrics.jsonl",
            "a-1/samples.json");
    assertThat(run.usable()).containsExactly(10L);
  }

  @Test
  void takesNothingOfAnAttemptThatIsOver() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      committer.written(run.part("a-1", 10, 0));
      committer.begin("a-2");
      // the other half, of another attempt
      committer.written(run.part("a-2", 10, 1));
      committer.await(LONG);
      assertThat(manifest(10)).doesNotExist();
      committer.written(run.part("a-2", 10, 0));
      committer.await(LONG);
    }
    assertThat(run.search().usable().get(0).manifest().attempt()).isEqualTo("a-2");
  }

  @Test
  void writesNothingIntoAFolderThatIsAnothersNow() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      run.owned = false;
      run.take(committer, "a-1", 10);
      assertThat(run.completed).isEmpty();
      assertThat(manifest(10)).doesNotExist();
    }
  }

  @Test
  void keepsTheLastOnes() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      for (long step = 10; step <= 50; step += 10) {
        run.take(committer, "a-1", step);
      }
    }
    assertThat(run.usable()).containsExactly(50L, 40L);
    try (Stream<Path> folders = Files.list(output.resolve("checkpoints"))) {
      assertThat(folders.map(folder -> folder.getFileName().toString()))
          .containsExactlyInAnyOrder("index.json", "step-00000040", "step-00000050");
    }
  }

  @Test
  void keepsTheBestBesideTheLastOnes() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      run.takeWithBest(committer, "a-1", 10, 10);
      run.takeWithBest(committer, "a-1", 20, 20);
      for (long step = 30; step <= 60; step += 10) {
        run.takeWithBest(committer, "a-1", step, 20);
      }
      assertThat(run.usable()).containsExactly(60L, 50L, 20L);
      assertThat(committer.resume(committer.last().orElseThrow()))
          .isEqualTo(
              new Attempt.Resume(
                  60,
                  "checkpoints/step-00000060/a-1",
                  new Attempt.Resume(20, "checkpoints/step-00000020/a-1", null)));
      run.takeWithBest(committer, "a-1", 70, 70);
      assertThat(run.usable()).as("60 needs it").containsExactly(70L, 60L, 20L);
      run.takeWithBest(committer, "a-1", 80, 70);
      assertThat(run.usable()).containsExactly(80L, 70L);
      assertThat(committer.resume(committer.last().orElseThrow()).best())
          .isEqualTo(new Attempt.Resume(70, "checkpoints/step-00000070/a-1", null));
    }
  }

  @Test
  void completesNoneWhoseBestIsMissing() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      run.takeWithBest(committer, "a-1", 10, 10);
      committer.lost(20, "rank 1 could not write its part: no space left on device");
      run.takeWithBest(committer, "a-1", 30, 20);
    }
    assertThat(run.usable()).containsExactly(10L);
    assertThat(run.lost)
        .containsExactly(
            "20: rank 1 could not write its part: no space left on device",
            "30: the one after step 20, which holds the best adapter, is missing");
  }

  @Test
  void completesTheBestWhenALaterOneNeedsItWhereThatFailedBefore() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      run.takeWithBest(committer, "a-1", 10, 10);
      run.failing = 20;
      run.takeWithBest(committer, "a-1", 20, 20);
      run.takeWithBest(committer, "a-1", 30, 20);
      assertThat(run.lost).containsExactly("20: no samples of 20", "30: no samples of 20");
      assertThat(run.usable()).containsExactly(10L);

      run.failing = 0;
      run.takeWithBest(committer, "a-1", 40, 20);
      assertThat(run.completed).containsExactly(10L, 20L, 40L);
      run.takeWithBest(committer, "a-1", 50, 20);
      assertThat(run.lost).hasSize(2);
      assertThat(run.usable()).containsExactly(50L, 40L, 20L);
      assertThat(committer.resume(committer.last().orElseThrow()).best())
          .isEqualTo(new Attempt.Resume(20, "checkpoints/step-00000020/a-1", null));
    }
  }

  @Test
  void partsOfABestOneAreNotKeptForTheNextAttempt() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      run.failing = 20;
      run.takeWithBest(committer, "a-1", 20, 20);
      run.failing = 0;
      committer.begin("a-2");
      run.takeWithBest(committer, "a-2", 30, 20);
      assertThat(run.completed).isEmpty();
      assertThat(run.lost.get(1)).contains("30: the one after step 20").endsWith("is missing");
    }
  }

  @Test
  void goesOnFromNoneWhoseBestIsGone() throws Exception {
    try (CheckpointCommitter committer = run.committer(3)) {
      committer.begin("a-1");
      run.takeWithBest(committer, "a-1", 10, 10);
      run.takeWithBest(committer, "a-1", 20, 20);
      run.takeWithBest(committer, "a-1", 30, 20);
      Files.delete(output.resolve("checkpoints/step-00000020/a-1/metrics.jsonl"));
      List<String> said = new ArrayList<>();
      assertThat(committer.lastUsable(said::add).orElseThrow().step()).isEqualTo(10);
      assertThat(said).hasSize(2).allSatisfy(s -> assertThat(s).contains("lacks a-1/metrics"));
    }
  }

  @Test
  void keepsWhatIsCompleteWhereTheNewerOnesWereNotCompleted() throws Exception {
    try (CheckpointCommitter committer = run.committer(1)) {
      committer.begin("a-1");
      run.take(committer, "a-1", 10);
      for (long step = 20; step <= 40; step += 10) {
        committer.written(run.part("a-1", step, 0));
        committer.lost(step, "rank 1 could not write its part: no space left on device");
        committer.lost(step, "rank 0 could not write its part: no space left on device");
      }
      committer.await(LONG);
      assertThat(run.lost).hasSize(3).first().asString().contains("no space left");
      assertThat(run.usable()).containsExactly(10L);
    }
  }

  @Test
  void goesOnWithTheStepsThatAreThere() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      run.take(committer, "a-1", 10);
      run.take(committer, "a-1", 20);
    }
    List<StoredCheckpoint> found = run.search().usable();
    try (CheckpointCommitter committer =
        new CheckpointCommitter(run.folder, WrittenCheckpoints.identity("8"), 2, found, run)) {
      assertThat(committer.last().orElseThrow().step()).isEqualTo(20);
      committer.begin("b-1");
      run.take(committer, "b-1", 30);
    }
    assertThat(run.usable()).containsExactly(30L, 20L);
  }

  @Test
  void whatIsCompletedAfterItsAttemptCountsNoMore() throws Exception {
    AtomicReference<CheckpointCommitter> writing = new AtomicReference<>();
    AtomicInteger changes = new AtomicInteger();
    // metrics, samples, the index; and the manifest, for which a store took its time
    RunFolder slow =
        run.folder.guardedBy(
            () -> {
              if (changes.incrementAndGet() == 4) {
                writing.get().begin("a-2");
              }
            });
    try (CheckpointCommitter committer =
        new CheckpointCommitter(slow, WrittenCheckpoints.identity("8"), 1, List.of(), run)) {
      writing.set(committer);
      committer.begin("a-1");
      run.take(committer, "a-1", 10);
      assertThat(manifest(10)).exists();
      assertThat(committer.last()).isEmpty();
      assertThat(run.completed).isEmpty();
    }
  }

  @Test
  void whatWasNeverCompletedGoesWithWhatIsOld() throws Exception {
    try (CheckpointCommitter committer = run.committer(1)) {
      committer.begin("a-1");
      committer.written(run.part("a-1", 5, 0));
      run.take(committer, "a-1", 10);
      run.take(committer, "a-1", 20);
      assertThat(manifest(5).getParent()).doesNotExist();
      assertThat(run.usable()).containsExactly(20L);
    }
  }

  @Test
  void leavesOutWhatHasLostAFile() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      run.take(committer, "a-1", 10);
      run.take(committer, "a-1", 20);
      Files.delete(manifest(20).resolveSibling("a-1/rank-00001-of-00002.safetensors"));
      List<String> said = new ArrayList<>();
      assertThat(committer.lastUsable(said::add).orElseThrow().step()).isEqualTo(10);
      assertThat(said)
          .singleElement()
          .asString()
          .matches("A checkpoint is left out: .*step-00000020 lacks a-1/rank-00001-of-00002.*");
      assertThat(committer.last().orElseThrow().step()).isEqualTo(10);
    }
  }

  @Test
  void doesNotBeginAnewWhereAllThatWereCompleteAreGone() throws Exception {
    try (CheckpointCommitter committer = run.committer(2)) {
      committer.begin("a-1");
      assertThat(committer.lastUsable(sentence -> {})).isEmpty();
      run.take(committer, "a-1", 10);
      Files.delete(manifest(10).resolveSibling("a-1/rank-00001-of-00002.safetensors"));
      assertThatThrownBy(() -> committer.lastUsable(sentence -> {}))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("none of them can be used (")
          .hasMessageContaining("step-00000010 lacks a-1/rank-00001-of-00002");
    }
  }

  private Path manifest(long step) {
    return output.resolve(String.format(Locale.ROOT, "checkpoints/step-%08d/manifest.json", step));
  }
}
