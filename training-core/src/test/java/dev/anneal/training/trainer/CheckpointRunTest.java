package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.anneal.training.Property;
import dev.anneal.training.TinyModels;
import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.checkpoint.CheckpointSink;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.lora.AdapterCheck;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a run's checkpoints hold, and that they never stand in its way. */
class CheckpointRunTest {
  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource(ResumableRun.class)
  void everyFileIsToldAsItIs(ResumableRun run) throws Exception {
    LocalCheckpoints checkpoints = checkpoints();
    List<WrittenFile> result = new ArrayList<>();
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world ->
                run.run(
                    world,
                    folder.resolve("result"),
                    checkpoints.every(4),
                    new RecordingListener() {
                      @Override
                      public void onResult(List<WrittenFile> files) {
                        assertThat(world.rank()).isZero();
                        result.addAll(files);
                      }
                    }));
    assertThat(thrown).containsOnlyNulls();
    assertThat(checkpoints.complete()).containsExactly(4L, 6L);
    for (List<CheckpointPart> parts : checkpoints.parts().values()) {
      Path step = checkpoints.path(parts.get(0).step());
      assertThat(parts).extracting(CheckpointPart::rank).containsExactlyInAnyOrder(0, 1);
      assertFiles(step, parts.stream().flatMap(part -> part.files().stream()).toList());
    }
    assertFiles(folder.resolve("result"), result);
  }

  private static void assertFiles(Path folder, List<WrittenFile> told) throws Exception {
    for (WrittenFile file : told) {
      byte[] bytes = Files.readAllBytes(folder.resolve(file.name()));
      byte[] sha256 = MessageDigest.getInstance("SHA-256").digest(bytes);
      assertThat(file)
          .isEqualTo(new WrittenFile(file.name(), bytes.length, HexFormat.of().formatHex(sha256)));
    }
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(told)
          .extracting(WrittenFile::name)
          .containsExactlyInAnyOrderElementsOf(
              files.map(file -> file.getFileName().toString()).toList());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void lastAdapterIsThatOfTheResult(int worldSize) throws Exception {
    LocalCheckpoints checkpoints = checkpoints();
    Path output = folder.resolve("result");
    GlooRanks.run(
        worldSize,
        world ->
            ResumableRun.FP32.run(world, output, checkpoints.every(4), new RecordingListener()));
    for (String file : List.of(SafetensorsIndex.ADAPTER_FILE, PeftConfig.FILE)) {
      assertThat(checkpoints.path(6).resolve(file)).hasSameBinaryContentAs(output.resolve(file));
      // parts of two steps differ, or the same would have been written twice
      assertThat(
              checkpoints
                  .path(4)
                  .resolve(String.format(Locale.ROOT, "rank-00000-of-%05d.safetensors", worldSize)))
          .isRegularFile();
    }
    assertThat(
            Files.mismatch(
                checkpoints.path(4).resolve(SafetensorsIndex.ADAPTER_FILE),
                checkpoints.path(6).resolve(SafetensorsIndex.ADAPTER_FILE)))
        .isNotNegative();
  }

  /** Of the last checkpoint and of the one that training goes on after. */
  @ParameterizedTest
  @CsvSource({"2, never", "3, never", "3, small"})
  void anAdapterOfSplitWeightsIsWrittenAsOneOfWholeOnes(int worldSize, String together)
      throws Exception {
    LocalCheckpoints split = new LocalCheckpoints(folder.resolve("split"));
    LocalCheckpoints whole = new LocalCheckpoints(folder.resolve("whole"));
    try (Property property = Property.set(AdapterGathering.PROPERTY, together)) {
      List<Throwable> thrown =
          GlooRanks.run(
              worldSize,
              world -> {
                TrainingSpec spec = ResumableRun.SPLIT.spec(worldSize);
                run(spec, world, split, "split-result");
                run(Recipe.from(spec).shard(Shard.NONE).spec(), world, whole, "whole-result");
              });
      assertThat(thrown).containsOnlyNulls();
    }
    for (long step : new long[] {4, 6}) {
      for (int rank = 0; rank < worldSize; rank++) {
        String part = String.format(Locale.ROOT, "rank-%05d-of-%05d.safetensors", rank, worldSize);
        assertThat(split.path(step).resolve(part))
            .hasSameBinaryContentAs(whole.path(step).resolve(part));
      }
      assertThat(split.path(step).resolve(SafetensorsIndex.ADAPTER_FILE))
          .hasSameBinaryContentAs(whole.path(step).resolve(SafetensorsIndex.ADAPTER_FILE));
    }
  }

  private void run(
      TrainingSpec spec, Collectives world, LocalCheckpoints checkpoints, String output) {
    TrainingRun.run(
        spec,
        ResumableRun.inputs(folder.resolve(output), checkpoints.every(4)),
        Ranks.onCpu(world),
        new RecordingListener());
  }

  @Test
  void adapterIsInTheComputeDtype() throws Exception {
    LocalCheckpoints checkpoints = checkpoints();
    ResumableRun run = ResumableRun.BF16;
    run.run(
        new SingleRank(), folder.resolve("result"), checkpoints.every(6), new RecordingListener());
    LocalModelFolder adapter = new LocalModelFolder(checkpoints.path(6));
    LlamaConfig config = TinyModels.config(TinyModels.Embeddings.UNTIED);
    AdapterCheck.check(adapter, config, LoraLayout.of(run.spec(1).lora(), config));
    try (SafetensorsIndex index = SafetensorsIndex.open(adapter, SafetensorsIndex.ADAPTER_FILE)) {
      for (String name : index.names()) {
        assertThat(index.entry(name).dtype()).isEqualTo(SafetensorsDType.BF16);
      }
    }
  }

  @Test
  void allRanksLeaveOutWhatWouldHaveToWaitForOne() throws Exception {
    CountDownLatch step4 = new CountDownLatch(1);
    LocalCheckpoints checkpoints = checkpoints();
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world -> {
              CheckpointSink sink =
                  world.rank() == 0 ? checkpoints : new Waiting(checkpoints, step4);
              ResumableRun.FP32.run(
                  world,
                  folder.resolve("result"),
                  new CheckpointPlan(1, sink, null),
                  new RecordingListener() {
                    @Override
                    public void onStep(StepMetrics metrics) {
                      if (world.rank() == 0 && metrics.step() == 4) {
                        step4.countDown();
                      }
                    }
                  });
            });
    assertThat(thrown).containsOnlyNulls();
    // of step 5 nobody knows whether the first was done by then, but the last waits
    assertThat(checkpoints.parts().keySet()).contains(1L, 6L).doesNotContain(2L, 3L, 4L);
    assertThat(checkpoints.complete()).containsExactlyElementsOf(checkpoints.parts().keySet());
    assertThat(checkpoints.leftOut()).startsWith(2L, 3L, 4L).doesNotHaveDuplicates();
  }

  @Test
  void sinkThatFailsDoesNotEndTheRun() throws Exception {
    LocalCheckpoints checkpoints = checkpoints();
    CheckpointSink failing =
        new Delegate(checkpoints) {
          @Override
          public OutputFolder folder(long step) {
            throw new UncheckedIOException(new IOException("no space left"));
          }

          @Override
          public void failed(long step, int rank, String reason) {
            super.failed(step, rank, reason);
            throw new IllegalStateException("nobody listens");
          }
        };
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world ->
                ResumableRun.FP32.run(
                    world,
                    folder.resolve("result"),
                    new CheckpointPlan(3, world.rank() == 0 ? checkpoints : failing, null),
                    new RecordingListener()));
    assertThat(thrown).containsOnlyNulls();
    assertThat(checkpoints.failures())
        .containsExactly(
            "step 3, rank 1, java.io.IOException: no space left",
            "step 6, rank 1, java.io.IOException: no space left");
    assertThat(checkpoints.complete()).isEmpty();
    assertThat(ResumableRun.FP32.result(folder.resolve("result"))).isRegularFile();
  }

  @Test
  void partThatRunsOutOfMemoryIsToldOf() throws Exception {
    LocalCheckpoints checkpoints = checkpoints();
    CheckpointSink failing =
        new Delegate(checkpoints) {
          @Override
          public OutputFolder folder(long step) {
            throw new OutOfMemoryError("Direct buffer memory");
          }
        };
    ResumableRun.FP32.run(
        new SingleRank(),
        folder.resolve("result"),
        new CheckpointPlan(3, failing, null),
        new RecordingListener());
    assertThat(checkpoints.failures())
        .containsExactly(
            "step 3, rank 0, Direct buffer memory", "step 6, rank 0, Direct buffer memory");
    assertThat(ResumableRun.FP32.result(folder.resolve("result"))).isRegularFile();
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 100})
  void oneRankIsEnoughToLeaveInGoodOrder(long everySteps) throws Exception {
    LocalCheckpoints checkpoints = checkpoints();
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world ->
                ResumableRun.FP32.run(
                    world,
                    folder.resolve("result"),
                    checkpoints.every(everySteps),
                    new RecordingListener() {
                      @Override
                      public boolean stopRequested() {
                        return world.rank() == 1 && steps().size() == 2;
                      }
                    }));
    assertThat(thrown)
        .hasSize(2)
        .allSatisfy(
            e ->
                assertThat(e)
                    .isInstanceOfSatisfying(
                        TrainingStopped.class, stop -> assertThat(stop.step()).isEqualTo(3)));
    assertThat(checkpoints.complete())
        .isEqualTo(everySteps == 0 ? List.of() : Collections.singletonList(3L));
    assertThat(folder.resolve("result")).doesNotExist();
  }

  @Test
  void sinkThatHangsHoldsUpNobodyWhoIsToldToStop() {
    CountDownLatch over = new CountDownLatch(1);
    LocalCheckpoints checkpoints = checkpoints();
    // waits for the checkpoint of the stop, which cannot be written
    RecordingListener listener =
        new RecordingListener() {
          @Override
          public boolean stopRequested() {
            return steps().size() == 1;
          }

          @Override
          public boolean cancelled() {
            return steps().size() == 2;
          }
        };
    CheckpointPlan plan = new CheckpointPlan(2, new Deaf(checkpoints, over), null);
    Throwable thrown =
        assertTimeoutPreemptively(
            Duration.ofSeconds(30),
            () ->
                GlooRanks.run(
                        1,
                        world ->
                            ResumableRun.FP32.run(world, folder.resolve("result"), plan, listener))
                    .get(0));
    assertThat(thrown).isInstanceOf(TrainingCancelled.class);
    assertThat(checkpoints.parts()).isEmpty();
    assertThat(checkpoints.failures()).isEmpty();
    over.countDown();
  }

  private LocalCheckpoints checkpoints() {
    return new LocalCheckpoints(folder.resolve("checkpoints"));
  }

  private static class Delegate implements CheckpointSink {
    private final CheckpointSink sink;

    Delegate(CheckpointSink sink) {
      this.sink = sink;
    }

    @Override
    public OutputFolder folder(long step) {
      return sink.folder(step);
    }

    @Override
    public void written(CheckpointPart part) {
      sink.written(part);
    }

    @Override
    public void failed(long step, int rank, String reason) {
      sink.failed(step, rank, reason);
    }

    @Override
    public void leftOut(long step) {
      sink.leftOut(step);
    }
  }

  /** Writes nothing before it is let go. */
  private static final class Waiting extends Delegate {
    private final CountDownLatch released;

    Waiting(CheckpointSink sink, CountDownLatch released) {
      super(sink);
      this.released = released;
    }

    @Override
    public OutputFolder folder(long step) {
      try {
        released.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      return super.folder(step);
    }
  }

  /** Hangs, and does not even notice that it is interrupted. */
  private static final class Deaf extends Delegate {
    private final CountDownLatch over;

    Deaf(CheckpointSink sink, CountDownLatch over) {
      super(sink);
      this.over = over;
    }

    @Override
    public OutputFolder folder(long step) {
      while (over.getCount() > 0) {
        Thread.onSpinWait();
      }
      // its thread outlives the test, whose folder is being removed
      throw new IllegalStateException("nobody waits for it any more");
    }
  }
}
