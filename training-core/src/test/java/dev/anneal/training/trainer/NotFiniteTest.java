package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.CollectiveException;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.io.SafetensorsFile;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.trainer.TrainingSpec.OnNan;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A model in which the embedding of one token is no number, so that rows that have it break. */
class NotFiniteTest {
  private static final int BROKEN_TOKEN = 309;

  /** Sequences of a global batch, in two micro-batches. */
  private static final int BATCH = 8;

  @TempDir Path folder;
  private ReferenceRun reference;
  private List<TokenSequence> rows;

  @BeforeEach
  void load() throws IOException {
    reference = ReferenceRun.load();
    rows = new ArrayList<>(reference.rows().subList(0, 4 * BATCH));
    assertThat(rows.stream().flatMapToInt(row -> IntStream.of(row.inputIds())))
        .doesNotContain(BROKEN_TOKEN);
    Files.createDirectory(model());
    try (Stream<Path> files = Files.list(reference.model().path())) {
      for (Path file : files.toList()) {
        Files.copy(file, model().resolve(file.getFileName()));
      }
    }
    breakEmbedding();
  }

  private Path model() {
    return folder.resolve("model");
  }

  private void breakEmbedding() throws IOException {
    String file = SafetensorsIndex.MODEL_FILE;
    try (SafetensorsFile weights = SafetensorsFile.open(new LocalModelFolder(model()), file);
        FileChannel channel = FileChannel.open(model().resolve(file), StandardOpenOption.WRITE)) {
      TensorEntry entry = weights.header().entries().get(TensorNames.EMBED_TOKENS);
      long rowBytes = entry.byteSize() / entry.shape()[0];
      ByteBuffer nan =
          ByteBuffer.allocate(Float.BYTES).order(ByteOrder.LITTLE_ENDIAN).putFloat(Float.NaN);
      channel.write(
          nan.flip(), weights.header().dataStart() + entry.begin() + BROKEN_TOKEN * rowBytes);
    }
  }

  /** Puts the broken token into the row. */
  private void breakRow(int row) {
    int[] ids = rows.get(row).inputIds().clone();
    ids[0] = BROKEN_TOKEN;
    rows.set(row, new TokenSequence(ids, rows.get(row).rowLengths(), rows.get(row).targetSpans()));
  }

  @Test
  void stopNamesTheSequencesOfTheMicroBatch() {
    breakRow(BATCH + 5);
    NotFiniteException error = failure(OnNan.STOP, CheckpointPlan.NONE);
    assertThat(error)
        .hasMessage(
            "rank 0, step 2, the loss is NaN, which comes from row 12, row 13, row 14, row 15 of rank 0:"
                + " lower optimizer.learning_rate or check the data.");
    assertThat(error.step()).isEqualTo(2);
    assertThat(error.sequences()).containsExactly("row 12", "row 13", "row 14", "row 15");
  }

  @Test
  void allRanksNameTheSequencesOfTheOneItComesFrom() throws Exception {
    breakRow(BATCH + 5);
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("checkpoints"));
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world ->
                TrainingRun.run(
                    spec(2, 3, OnNan.STOP),
                    inputs(rows, "result", checkpoints.every(1)),
                    Ranks.onCpu(world),
                    new RecordingListener()));
    for (int rank = 0; rank < 2; rank++) {
      assertThat(thrown.get(rank))
          .isInstanceOf(NotFiniteException.class)
          .hasMessageStartingWith(
              "rank %d, step 2, the loss is NaN, which comes from row 12, row 13, row 14, row 15 of rank 1:",
              rank);
    }
    // the one before it, for which the ranks have waited
    assertThat(checkpoints.complete()).containsExactly(1L);
  }

  @Test
  void namesTheBrokenOfAllMicroBatchesOfAllRanks() throws Exception {
    // of the four micro-batches, two sequences each, the second and the third
    breakRow(BATCH + 2);
    breakRow(BATCH + 4);
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world ->
                TrainingRun.run(
                    Recipe.from(spec(2, 3, OnNan.STOP)).batch(2, 2).spec(),
                    inputs(rows, "result", CheckpointPlan.NONE),
                    Ranks.onCpu(world),
                    new RecordingListener()));
    assertThat(thrown)
        .hasSize(2)
        .allSatisfy(
            e ->
                assertThat(e)
                    .isInstanceOfSatisfying(
                        NotFiniteException.class,
                        broken ->
                            assertThat(broken.sequences())
                                .containsExactlyInAnyOrder("row 10", "row 11", "row 12", "row 13"))
                    .hasMessageContaining(" of rank 0, rank 1: "));
  }

  @Test
  void noRankLeavesWhileAnotherStillWrites() throws Exception {
    breakRow(BATCH + 5);
    CountDownLatch left = new CountDownLatch(1);
    LocalCheckpoints quick = new LocalCheckpoints(folder.resolve("checkpoints"));
    LocalCheckpoints slow =
        new LocalCheckpoints(folder.resolve("checkpoints")) {
          @Override
          public OutputFolder folder(long step) {
            await(left);
            return super.folder(step);
          }
        };
    // as a task that fails ends those of its peers
    RecordingListener endedByPeer =
        new RecordingListener() {
          @Override
          public boolean cancelled() {
            return left.getCount() == 0;
          }
        };
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world -> {
              boolean first = world.rank() == 0;
              try {
                TrainingRun.run(
                    spec(2, 3, OnNan.STOP),
                    inputs(rows, "result", (first ? slow : quick).every(1)),
                    Ranks.onCpu(world),
                    first ? endedByPeer : new RecordingListener());
              } finally {
                left.countDown();
              }
            });
    assertThat(thrown).hasOnlyElementsOfType(NotFiniteException.class);
    assertThat(slow.parts()).containsOnlyKeys(1L);
  }

  /** Waits for what must not happen, not for long. */
  private static void await(CountDownLatch left) {
    try {
      assertThat(left.await(2, TimeUnit.SECONDS)).isFalse();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void peerThatIsLostMeanwhileIsNotTheCause() throws Exception {
    breakRow(BATCH + 5);
    CountDownLatch never = new CountDownLatch(1);
    LocalCheckpoints quick = new LocalCheckpoints(folder.resolve("checkpoints"));
    LocalCheckpoints hanging =
        new LocalCheckpoints(folder.resolve("checkpoints")) {
          @Override
          public OutputFolder folder(long step) {
            try {
              never.await();
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
            return super.folder(step);
          }
        };
    // ended while it waits for its checkpoint
    RecordingListener ended =
        new RecordingListener() {
          private int asked;

          @Override
          public boolean cancelled() {
            // first asked before the second step
            return steps().size() == 1 && asked++ > 0;
          }
        };
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world -> {
              boolean first = world.rank() == 0;
              TrainingRun.run(
                  spec(2, 3, OnNan.STOP),
                  inputs(rows, "result", (first ? hanging : quick).every(1)),
                  Ranks.onCpu(world),
                  first ? ended : new RecordingListener());
            });
    assertThat(thrown.get(0)).isInstanceOf(TrainingCancelled.class);
    assertThat(thrown.get(1))
        .isInstanceOf(NotFiniteException.class)
        .satisfies(
            e ->
                assertThat(e.getSuppressed())
                    .singleElement()
                    .isInstanceOf(CollectiveException.class));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void skippedStepLeavesNoTrace(int worldSize) throws Exception {
    breakRow(BATCH + 5);
    List<RecordingListener> skipping = train(worldSize, 4, rows, "skipping");
    List<TokenSequence> without = new ArrayList<>(rows);
    without.subList(BATCH, 2 * BATCH).clear();
    List<RecordingListener> unbroken = train(worldSize, 3, without, "unbroken");
    for (int rank = 0; rank < worldSize; rank++) {
      List<StepMetrics> steps = skipping.get(rank).steps();
      assertThat(steps).extracting(StepMetrics::skipped).containsExactly(false, true, false, false);
      assertThat(steps.get(1).loss()).isNaN();
      assertThat(steps.get(1).gradNorm()).isNaN();
      assertThat(Stream.of(0, 2, 3).map(i -> steps.get(i).loss()))
          .isEqualTo(unbroken.get(rank).steps().stream().map(StepMetrics::loss).toList());
    }
    assertThat(folder.resolve("skipping").resolve(SafetensorsIndex.ADAPTER_FILE))
        .hasSameBinaryContentAs(folder.resolve("unbroken").resolve(SafetensorsIndex.ADAPTER_FILE));
  }

  @Test
  void nothingButSkippedStepsIsNoRun() throws Exception {
    IntStream.range(0, rows.size()).forEach(this::breakRow);
    LocalCheckpoints checkpoints = new LocalCheckpoints(folder.resolve("checkpoints"));
    NotFiniteException error = failure(OnNan.SKIP, checkpoints.every(15));
    assertThat(error.step()).isEqualTo(20);
    assertThat(error).hasMessageContaining(", as in the 19 steps before, which were skipped: ");
    // steps skipped before a checkpoint count after it
    assertThat(checkpoints.complete()).containsExactly(15L);
    assertThat(failure(OnNan.SKIP, checkpoints.every(15, 15)).step()).isEqualTo(20);
  }

  @Test
  void brokenGradientOfAFiniteLossNamesTheGlobalBatch() {
    NativeLibraries.load();
    GlobalBatches batches =
        new GlobalBatches(spec(1, 9, OnNan.STOP), named(rows), Ranks.onCpu(new SingleRank()));
    NotFinite notFinite =
        new NotFinite(spec(1, 9, OnNan.STOP), batches, Ranks.onCpu(new SingleRank()), 0);
    try (TensorScope scope = new TensorScope()) {
      NotFiniteException error =
          catchThrowableOfType(
              NotFiniteException.class,
              () ->
                  notFinite.skips(
                      1,
                      new StepTotals(
                          2,
                          Double.POSITIVE_INFINITY,
                          new StepTotals.Work(1, 1, 1),
                          List.of(0L),
                          0,
                          Set.of(),
                          List.of()),
                      Tensors.of(new double[] {1, 1})));
      assertThat(error)
          .hasMessageStartingWith(
              "rank 0, step 2, the gradient norm is Infinity, though the loss is finite, over"
                  + " row 8, row 9, ");
      assertThat(error.sequences()).hasSize(BATCH);
    }
  }

  private NotFiniteException failure(OnNan onNan, CheckpointPlan checkpoints) {
    return catchThrowableOfType(
        NotFiniteException.class,
        () ->
            TrainingRun.run(
                spec(1, 30, onNan),
                inputs(rows, "result", checkpoints),
                Ranks.onCpu(new SingleRank()),
                new RecordingListener()));
  }

  private List<RecordingListener> train(
      int worldSize, long steps, List<TokenSequence> data, String output) throws Exception {
    List<RecordingListener> listeners =
        Stream.generate(RecordingListener::new).limit(worldSize).toList();
    List<Throwable> thrown =
        GlooRanks.run(
            worldSize,
            world ->
                TrainingRun.run(
                    spec(worldSize, steps, OnNan.SKIP),
                    inputs(data, output, CheckpointPlan.NONE),
                    Ranks.onCpu(world),
                    listeners.get(world.rank())));
    assertThat(thrown).containsOnlyNulls();
    return listeners;
  }

  private TrainingSpec spec(int worldSize, long steps, OnNan onNan) {
    return Recipe.from(reference.spec(worldSize))
        .steps(steps)
        .constantLearningRate(0.01)
        .onNan(onNan)
        .spec();
  }

  private TrainingRun.Inputs inputs(
      List<TokenSequence> data, String output, CheckpointPlan checkpoints) {
    return new TrainingRun.Inputs(
        new ModelSource.Folder(new LocalModelFolder(model())),
        null,
        named(data),
        null,
        List.of(),
        "tiny-llama31",
        new LocalOutputFolder(folder.resolve(output)),
        checkpoints);
  }

  private static SequenceSource named(List<TokenSequence> rows) {
    SequenceSource source = ReferenceRun.source(rows);
    return new SequenceSource() {
      @Override
      public long size() {
        return source.size();
      }

      @Override
      public TokenSequence read(long index) throws IOException {
        return source.read(index);
      }

      @Override
      public String describe(long index) {
        return "row " + index;
      }

      @Override
      public void close() {}
    };
  }
}
