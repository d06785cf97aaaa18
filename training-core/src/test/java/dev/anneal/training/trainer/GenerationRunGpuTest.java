package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationListener;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.Sampling;
import dev.anneal.training.generate.StopStrings;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The reference model asked on a GPU, where every operator has to give the same in every run. */
@Tag("gpu")
class GenerationRunGpuTest {
  private static final Device GPU = Device.gpu(0);

  @ParameterizedTest
  @CsvSource({
    "FP32, FP32, COMPUTE, 0",
    "BF16, BF16, COMPUTE, 0",
    "FP8, BF16, FP8, 0",
    "FP8, BF16, FP8, 0.5",
    "FP8, BF16, COMPUTE, 1"
  })
  void everyWayOfSamplingGivesTheSameTwice(
      DType stored, DType compute, Matmul matmul, double offloadRatio) throws IOException {
    Gpus.bind(GPU);
    ReferenceRun reference = ReferenceRun.load();
    List<Prompt> prompts = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      int[] row = reference.rows().get(i).inputIds();
      prompts.add(new Prompt(i, Arrays.copyOf(row, Math.min(row.length, 1 + 2 * i))));
    }
    for (Sampling sampling : List.of(Sampling.GREEDY, new Sampling(0.8, 40, 0.9, 1.2, 7))) {
      GenerationRun.Spec spec =
          new GenerationRun.Spec(
              new TrainingSpec.Weights(stored, Shard.NONE, offloadRatio),
              compute,
              matmul,
              12,
              new GenerationSpec(20, sampling, Set.of()));
      List<List<Integer>> first = tokens(reference, spec, prompts);
      assertThat(first).allMatch(tokens -> tokens.size() == 20);
      assertThat(tokens(reference, spec, prompts)).isEqualTo(first);
    }
  }

  private static List<List<Integer>> tokens(
      ReferenceRun reference, GenerationRun.Spec spec, List<Prompt> prompts) {
    List<Completion> completions =
        GenerationRuns.run(
            spec,
            new GenerationRuns.Inputs(
                new ModelSource.Folder(reference.model()),
                reference.adapter("adapter_final"),
                prompts,
                StopStrings.NONE),
            new Ranks(GPU, new SingleRank(), new SingleRank()),
            GenerationRunTest.phases(false),
            GenerationListener.NONE);
    return completions.stream().map(c -> Arrays.stream(c.tokens()).boxed().toList()).toList();
  }
}
