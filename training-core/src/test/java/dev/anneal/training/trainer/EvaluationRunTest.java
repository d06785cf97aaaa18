package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Deviation;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.Rows;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationListener;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.Sampling;
import dev.anneal.training.generate.StopStrings;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.trainer.EvaluationRun.Measured;
import dev.anneal.training.trainer.EvaluationRun.Share;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The reference model measured from its files on. */
class EvaluationRunTest {
  private static final int BATCH = 3;

  @TempDir Path output;
  private ReferenceRun reference;
  private List<TokenSequence> rows;
  private LocalModelFolder trained;

  @BeforeEach
  void load() throws IOException {
    reference = ReferenceRun.load();
    rows = reference.rows().subList(0, 11);
    trained = reference.adapter("adapter_final");
  }

  @Test
  void givesTheHeldOutLossOfTrainingWithAndWithoutTheAdapter() throws IOException {
    Measured measured = measure(DType.FP32, trained, BATCH, rows);
    assertThat(Deviation.relative(mean(measured, false), heldOutLoss("adapter_init")))
        .isLessThan(1e-12);
    assertThat(Deviation.relative(mean(measured, true), heldOutLoss("adapter_final")))
        .isLessThan(1e-12);
    assertThat(mean(measured, true)).isLessThan(mean(measured, false));
    // the base alone is the same base
    Measured alone = measure(DType.FP32, null, BATCH, rows);
    assertThat(sums(alone, false)).isEqualTo(sums(measured, false));
    assertThat(alone.losses()).allMatch(losses -> losses.adapted() == null);
  }

  /** What a run of no steps says of the rows, which is held against PyTorch elsewhere. */
  private double heldOutLoss(String adapter) throws IOException {
    RecordingListener listener = new RecordingListener();
    TrainingRun.run(
        Recipe.from(reference.spec(1)).batch(BATCH, 1).steps(0).spec(),
        reference.inputs(
            reference.adapter(adapter), reference.rows(), rows, List.of(), output.resolve(adapter)),
        Ranks.onCpu(new SingleRank()),
        listener);
    return listener.evaluations().get(0);
  }

  @ParameterizedTest
  @EnumSource
  void isTheSameToTheLastBitForAnyRanksAndHoweverWeightsAreHeld(DType stored) throws Exception {
    Measured one = measure(stored, trained, BATCH, rows);
    for (Shard shard : List.of(Shard.NONE, Shard.WORLD)) {
      for (int ranks : new int[] {2, 3}) {
        List<SequenceLosses> together = new ArrayList<>();
        Map<Integer, Measured> found = new ConcurrentHashMap<>();
        List<Throwable> thrown =
            GlooRanks.run(
                ranks,
                world -> {
                  Collectives own = shard == Shard.NONE ? new SingleRank() : world;
                  Share share = new Share(world.rank(), ranks);
                  found.put(
                      world.rank(),
                      measure(
                          new TrainingSpec.Weights(stored, shard, 0),
                          inputs(trained, rows, prompts(), share),
                          own));
                });
        assertThat(thrown).containsOnlyNulls();
        found.values().forEach(rank -> together.addAll(rank.losses()));
        together.sort(Comparator.comparingLong(SequenceLosses::sequence));
        Measured all = new Measured(together, List.of(), List.of());
        assertThat(together)
            .extracting(SequenceLosses::sequence)
            .hasSize(11)
            .doesNotHaveDuplicates();
        assertThat(sums(all, false)).isEqualTo(sums(one, false));
        assertThat(sums(all, true)).isEqualTo(sums(one, true));
      }
    }
  }

  @Test
  void rowsOfAPackedSequenceAreMeasuredEach() throws IOException {
    TokenSequence packed = Rows.packed(rows);
    Measured together = measure(DType.FP32, trained, 1, List.of(packed));
    Measured each = measure(DType.FP32, trained, 1, rows);
    assertThat(together.losses()).hasSize(1);
    assertThat(together.losses().get(0).targetTokens())
        .containsExactly(each.losses().stream().mapToInt(l -> l.targetTokens()[0]).toArray());
    for (int i = 0; i < rows.size(); i++) {
      // products of other sizes may round in another way
      assertThat(Deviation.relative(sums(together, true).get(i), sums(each, true).get(i)))
          .isLessThan(1e-6);
    }
  }

  @Test
  void aRowWithNothingLearnedCountsNothing() throws IOException {
    List<TokenSequence> some = new ArrayList<>(rows.subList(0, 2));
    int[] ids = rows.get(0).inputIds();
    some.add(new TokenSequence(ids, new int[] {ids.length}, new int[0]));
    some.add(new TokenSequence(new int[] {ids[0]}, new int[] {1}, new int[] {0, 1}));
    Measured measured = measure(DType.FP32, trained, 4, some);
    assertThat(measured.losses().get(2).targetTokens()).containsExactly(0);
    assertThat(measured.losses().get(3).targetTokens()).containsExactly(0);
    assertThat(sums(measured, true).subList(2, 4)).containsExactly(0.0, 0.0);
    Measured nothing = measure(DType.FP32, trained, 4, some.subList(2, 4));
    assertThat(sums(nothing, false)).containsExactly(0.0, 0.0);
  }

  /** Ranks that share weights go through passes together, whoever learns something in them. */
  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void aRankWithNothingLearnedKeepsItsPeersCompany(int ranks) throws Exception {
    List<TokenSequence> some = new ArrayList<>(rows.subList(0, 2 * BATCH));
    int[] ids = rows.get(0).inputIds();
    for (int i = BATCH; i < 2 * BATCH; i++) {
      some.set(i, new TokenSequence(ids, new int[] {ids.length}, new int[0]));
    }
    Measured one = measure(DType.FP32, trained, BATCH, some);
    assertThat(sums(one, true).subList(BATCH, 2 * BATCH)).containsOnly(0.0);
    Map<Integer, Measured> found = new ConcurrentHashMap<>();
    List<Throwable> thrown =
        GlooRanks.run(
            ranks,
            world ->
                found.put(
                    world.rank(),
                    measure(
                        new TrainingSpec.Weights(DType.FP32, Shard.WORLD, 0),
                        inputs(trained, some, prompts(), new Share(world.rank(), ranks)),
                        world)));
    assertThat(thrown).containsOnlyNulls();
    for (boolean adapted : new boolean[] {false, true}) {
      List<Double> together = new ArrayList<>(sums(found.get(0), adapted));
      together.addAll(sums(found.get(1), adapted));
      assertThat(together).isEqualTo(sums(one, adapted));
    }
    assertThat(found.values())
        .extracting(measured -> tokens(measured.adapted()))
        .containsOnly(generated(trained));
  }

  @Test
  void saysWhatAGenerationSays() throws IOException {
    Measured measured =
        measure(
            Recipe.whole(DType.FP32),
            inputs(trained, List.of(), prompts(), new Share(0, 1)),
            new SingleRank());
    assertThat(tokens(measured.base())).isEqualTo(generated(null));
    assertThat(tokens(measured.adapted())).isEqualTo(generated(trained));
    assertThat(tokens(measured.adapted())).isNotEqualTo(tokens(measured.base()));
    List<Completion> shared = new ArrayList<>();
    for (int rank = 0; rank < 2; rank++) {
      shared.addAll(
          measure(
                  Recipe.whole(DType.FP32),
                  inputs(trained, List.of(), prompts(), new Share(rank, 2)),
                  new SingleRank())
              .adapted());
    }
    shared.sort(Comparator.comparingLong(completion -> completion.prompt().index()));
    assertThat(tokens(shared)).isEqualTo(tokens(measured.adapted()));
  }

  private List<List<Integer>> generated(ModelFolder adapter) {
    return tokens(
        GenerationRuns.run(
            spec(Recipe.whole(DType.FP32), BATCH),
            new GenerationRuns.Inputs(
                new ModelSource.Folder(reference.model()), adapter, prompts(), StopStrings.NONE),
            Ranks.onCpu(new SingleRank()),
            GenerationRunTest.phases(false),
            GenerationListener.NONE));
  }

  @Test
  void refusesALossThatIsNotFinite() throws IOException {
    Path model = Files.createDirectories(output.resolve("model"));
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(Path.of(reference.folder() + "/model", file), model.resolve(file));
    }
    byte[] weights = Files.readAllBytes(model.resolve("model.safetensors"));
    int header = ByteBuffer.wrap(weights).order(ByteOrder.LITTLE_ENDIAN).getInt();
    Arrays.fill(weights, Long.BYTES + header, weights.length, (byte) 0xff);
    Files.write(model.resolve("model.safetensors"), weights);
    EvaluationRun.Inputs inputs =
        new EvaluationRun.Inputs(
            new ModelSource.Folder(new LocalModelFolder(model)),
            null,
            ReferenceRun.source(rows),
            List.of(),
            new Share(0, 1));
    assertThatThrownBy(() -> measure(Recipe.whole(DType.FP32), inputs, new SingleRank()))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageStartingWith("The loss of sequence 0 is NaN");
  }

  @Test
  void stopsWhenAskedTo() {
    assertThatThrownBy(
            () ->
                EvaluationRun.run(
                    spec(Recipe.whole(DType.FP32), BATCH),
                    inputs(null, rows, List.of(), new Share(0, 1)),
                    Ranks.onCpu(new SingleRank()),
                    listener(true)))
        .isInstanceOf(TrainingCancelled.class);
  }

  private List<Prompt> prompts() {
    List<Prompt> prompts = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      int[] row = rows.get(i).inputIds();
      prompts.add(new Prompt(i, Arrays.copyOf(row, Math.min(row.length, 3 + 2 * i))));
    }
    return prompts;
  }

  private Measured measure(DType stored, ModelFolder adapter, int batch, List<TokenSequence> data) {
    return EvaluationRun.run(
        spec(Recipe.whole(stored), batch),
        inputs(adapter, data, List.of(), new Share(0, 1)),
        Ranks.onCpu(new SingleRank()),
        listener(false));
  }

  private static Measured measure(
      TrainingSpec.Weights weights, EvaluationRun.Inputs inputs, Collectives world) {
    return EvaluationRun.run(spec(weights, BATCH), inputs, Ranks.onCpu(world), listener(false));
  }

  private EvaluationRun.Inputs inputs(
      ModelFolder adapter, List<TokenSequence> data, List<Prompt> prompts, Share share) {
    SequenceSource source = ReferenceRun.source(data);
    return new EvaluationRun.Inputs(
        new ModelSource.Folder(reference.model()), adapter, source, prompts, share);
  }

  private static GenerationRun.Spec spec(TrainingSpec.Weights weights, int batch) {
    return new GenerationRun.Spec(
        weights,
        DType.FP32,
        Matmul.COMPUTE,
        batch,
        new GenerationSpec(8, Sampling.GREEDY, Set.of(2)));
  }

  static EvaluationListener listener(boolean cancelled) {
    return new EvaluationListener() {
      @Override
      public void onPhase(String phase) {}

      @Override
      public boolean cancelled() {
        return cancelled;
      }
    };
  }

  /** Of every row. */
  private static List<Double> sums(Measured measured, boolean adapted) {
    return measured.losses().stream()
        .flatMap(l -> Arrays.stream(adapted ? l.adapted() : l.base()).boxed())
        .toList();
  }

  private static double mean(Measured measured, boolean adapted) {
    long tokens =
        measured.losses().stream().flatMapToInt(l -> Arrays.stream(l.targetTokens())).sum();
    return sums(measured, adapted).stream().mapToDouble(Double::doubleValue).sum() / tokens;
  }

  private static List<List<Integer>> tokens(List<Completion> completions) {
    return completions.stream().map(c -> Arrays.stream(c.tokens()).boxed().toList()).toList();
  }
}
