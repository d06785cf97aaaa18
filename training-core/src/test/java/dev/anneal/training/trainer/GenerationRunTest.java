package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationListener;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.generate.InvalidPromptException;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.PromptQueue;
import dev.anneal.training.generate.Sampling;
import dev.anneal.training.generate.StopStrings;
import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The reference model asked from its files on. */
class GenerationRunTest {
  private static final int NEW_TOKENS = 8;

  @TempDir Path output;
  private ReferenceRun reference;
  private final List<Prompt> prompts = new ArrayList<>();

  @BeforeEach
  void load() throws IOException {
    reference = ReferenceRun.load();
    for (int i = 0; i < 5; i++) {
      int[] row = reference.rows().get(i).inputIds();
      prompts.add(new Prompt(i, Arrays.copyOf(row, Math.min(row.length, 3 + 2 * i))));
    }
  }

  @Test
  void givesTheSamplesOfARunOfNoSteps() throws IOException {
    RecordingListener listener = new RecordingListener();
    TrainingRun.run(
        Recipe.from(reference.spec(1)).batch(2, 1).steps(0).sampleTokens(NEW_TOKENS).spec(),
        reference.inputs(
            reference.adapter("adapter_final"),
            reference.rows(),
            List.of(),
            prompts.stream().map(Prompt::ids).toList(),
            output),
        Ranks.onCpu(new SingleRank()),
        listener);
    List<List<Integer>> samples =
        listener.samples().subList(0, 5).stream().map(GenerationRunTest::list).toList();
    assertThat(tokens(run(DType.FP32, reference.adapter("adapter_final")))).isEqualTo(samples);
  }

  @Test
  void theAdapterCounts() {
    List<List<Integer>> base = tokens(run(DType.FP32, null));
    // B of the first adapter is zero
    assertThat(tokens(run(DType.FP32, reference.adapter("adapter_init")))).isEqualTo(base);
    assertThat(tokens(run(DType.FP32, reference.adapter("adapter_final")))).isNotEqualTo(base);
  }

  @ParameterizedTest
  @EnumSource
  void twoRanksThatShareTheWeightsGiveTheSame(DType stored) throws Exception {
    LocalModelFolder adapter = reference.adapter("adapter_final");
    List<List<Integer>> expected = tokens(run(stored, adapter));
    Map<Integer, List<List<Integer>>> found = new ConcurrentHashMap<>();
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world ->
                found.put(
                    world.rank(),
                    tokens(
                        GenerationRuns.run(
                            spec(new TrainingSpec.Weights(stored, Shard.WORLD, 0.25)),
                            inputs(adapter, prompts),
                            Ranks.onCpu(world),
                            phases(false),
                            GenerationListener.NONE))));
    assertThat(thrown).containsExactly(null, null);
    assertThat(found).isEqualTo(Map.of(0, expected, 1, expected));
  }

  @Test
  void ranksServeUntilRank0HearsOfNoMore() throws Exception {
    List<List<Integer>> expected = tokens(run(DType.FP32, null));
    Map<Integer, List<Completion>> told = new ConcurrentHashMap<>();
    List<Throwable> thrown =
        GlooRanks.run(
            2,
            world -> {
              List<Completion> mine = new ArrayList<>();
              told.put(world.rank(), mine);
              GenerationRun.serve(
                  spec(new TrainingSpec.Weights(DType.FP32, Shard.WORLD, 0)),
                  new GenerationRun.Service(
                      new ModelSource.Folder(reference.model()),
                      null,
                      world.rank() == 0 ? queue(mine) : unasked(mine),
                      StopStrings.NONE),
                  Ranks.onCpu(world),
                  phases(false),
                  GenerationListener.NONE);
            });
    assertThat(thrown).containsExactly(null, null);
    for (List<Completion> completions : told.values()) {
      assertThat(tokens(completions)).isEqualTo(expected);
      assertThat(completions)
          .extracting(c -> c.prompt().index())
          .containsExactly(0L, 1L, 2L, 3L, 4L);
    }
  }

  @Test
  void whoHearsOfNoPromptReadsNoWeights() {
    Path nowhere = output.resolve("nowhere");
    PromptQueue none =
        new PromptQueue() {
          @Override
          public Optional<List<Prompt>> next() {
            return Optional.empty();
          }

          @Override
          public void done(List<Completion> completions) {
            throw new AssertionError("nothing was asked");
          }
        };
    GenerationRun.serve(
        spec(Recipe.whole(DType.FP32)),
        new GenerationRun.Service(
            new ModelSource.Folder(new LocalModelFolder(nowhere)), null, none, StopStrings.NONE),
        Ranks.onCpu(new SingleRank()),
        phases(false),
        GenerationListener.NONE);
  }

  /** All prompts in three batches, between which there are none. */
  private PromptQueue queue(List<Completion> made) {
    Deque<List<Prompt>> batches =
        new ArrayDeque<>(
            List.of(
                List.of(),
                prompts.subList(0, 2),
                List.of(),
                List.of(),
                prompts.subList(2, 3),
                prompts.subList(3, 5)));
    return new PromptQueue() {
      @Override
      public Optional<List<Prompt>> next() {
        return Optional.ofNullable(batches.poll());
      }

      @Override
      public void done(List<Completion> completions) {
        made.addAll(completions);
      }
    };
  }

  private static PromptQueue unasked(List<Completion> made) {
    return new PromptQueue() {
      @Override
      public Optional<List<Prompt>> next() {
        throw new AssertionError("rank 0 alone is asked");
      }

      @Override
      public void done(List<Completion> completions) {
        made.addAll(completions);
      }
    };
  }

  @Test
  void randomWeightsAnswerToo() throws IOException {
    LlamaConfig config = LlamaConfig.read(reference.model());
    List<Completion> completions =
        GenerationRuns.run(
            spec(Recipe.whole(DType.BF16)),
            new GenerationRuns.Inputs(
                new ModelSource.Random(config, 3), null, prompts, StopStrings.NONE),
            Ranks.onCpu(new SingleRank()),
            phases(false),
            GenerationListener.NONE);
    assertThat(completions).hasSize(5).allMatch(c -> c.tokens().length == NEW_TOKENS);
  }

  @Test
  void stopsWhenAskedTo() {
    assertThatThrownBy(
            () ->
                GenerationRuns.run(
                    spec(Recipe.whole(DType.FP32)),
                    inputs(null, prompts),
                    Ranks.onCpu(new SingleRank()),
                    phases(true),
                    GenerationListener.NONE))
        .isInstanceOf(TrainingCancelled.class);
  }

  @Test
  void refusesAPromptThatIsTooLong() {
    assertThatThrownBy(
            () ->
                GenerationRuns.run(
                    spec(Recipe.whole(DType.FP32)),
                    inputs(null, List.of(new Prompt(2, new int[513]))),
                    Ranks.onCpu(new SingleRank()),
                    phases(false),
                    GenerationListener.NONE))
        .isInstanceOf(InvalidPromptException.class)
        .hasMessage("Prompt 2 has 513 tokens, but the model's context has 512: shorten it.");
  }

  private List<Completion> run(DType stored, ModelFolder adapter) {
    return GenerationRuns.run(
        spec(Recipe.whole(stored)),
        inputs(adapter, prompts),
        Ranks.onCpu(new SingleRank()),
        phases(false),
        GenerationListener.NONE);
  }

  private GenerationRuns.Inputs inputs(ModelFolder adapter, List<Prompt> asked) {
    return new GenerationRuns.Inputs(
        new ModelSource.Folder(reference.model()), adapter, asked, StopStrings.NONE);
  }

  private static GenerationRun.Spec spec(TrainingSpec.Weights weights) {
    return new GenerationRun.Spec(
        weights,
        DType.FP32,
        Matmul.COMPUTE,
        2,
        new GenerationSpec(NEW_TOKENS, Sampling.GREEDY, Set.of(2)));
  }

  static PhaseListener phases(boolean cancelled) {
    return new PhaseListener() {
      @Override
      public void onPhase(String phase) {}

      @Override
      public boolean cancelled() {
        return cancelled;
      }
    };
  }

  private static List<List<Integer>> tokens(List<Completion> completions) {
    return completions.stream().map(c -> Arrays.stream(c.tokens()).boxed().toList()).toList();
  }

  private static List<Integer> list(int[] ids) {
    return Arrays.stream(ids).boxed().toList();
  }
}
