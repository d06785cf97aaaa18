package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.generate.Sampling;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The reference model measured on a GPU: the same twice, and what the CPU measures. */
@Tag("gpu")
class EvaluationRunGpuTest {
  private static final Device GPU = Device.gpu(0);

  @ParameterizedTest
  @CsvSource({
    "FP32, FP32, COMPUTE, 0, 0.01",
    "BF16, BF16, COMPUTE, 0, 1",
    "FP8, BF16, FP8, 0, 3",
    "FP8, BF16, FP8, 0.5, 3"
  })
  void givesTheSameTwiceAndWhatTheCpuGives(
      DType stored, DType compute, Matmul matmul, double offloadRatio, double percent)
      throws IOException {
    Gpus.bind(GPU);
    TrainingSpec.Weights weights = new TrainingSpec.Weights(stored, Shard.NONE, offloadRatio);
    List<SequenceLosses> found = measure(weights, compute, matmul, GPU);
    assertThat(measure(weights, compute, matmul, GPU)).usingRecursiveComparison().isEqualTo(found);
    List<SequenceLosses> onCpu =
        measure(Recipe.whole(DType.FP32), DType.FP32, Matmul.COMPUTE, Device.CPU);
    for (Function<SequenceLosses, double[]> which :
        List.<Function<SequenceLosses, double[]>>of(
            SequenceLosses::base, SequenceLosses::adapted)) {
      assertThat(sum(found, which))
          .isCloseTo(sum(onCpu, which), Percentage.withPercentage(percent));
    }
  }

  private static double sum(List<SequenceLosses> losses, Function<SequenceLosses, double[]> which) {
    return losses.stream().map(which).flatMapToDouble(DoubleStream::of).sum();
  }

  private static List<SequenceLosses> measure(
      TrainingSpec.Weights weights, DType compute, Matmul matmul, Device device)
      throws IOException {
    ReferenceRun reference = ReferenceRun.load();
    List<TokenSequence> rows = reference.rows().subList(0, 20);
    int[] ids = rows.get(0).inputIds();
    TokenSequence unlearned =
        new TokenSequence(Arrays.copyOf(ids, 2), new int[] {2}, new int[] {0, 1});
    List<TokenSequence> all = Stream.concat(rows.stream(), Stream.of(unlearned)).toList();
    return EvaluationRun.run(
            new GenerationRun.Spec(
                weights, compute, matmul, 4, new GenerationSpec(1, Sampling.GREEDY, Set.of())),
            new EvaluationRun.Inputs(
                new ModelSource.Folder(reference.model()),
                reference.adapter("adapter_final"),
                ReferenceRun.source(all),
                List.of(),
                new EvaluationRun.Share(0, 1)),
            new Ranks(device, new SingleRank(), new SingleRank()),
            EvaluationRunTest.listener(false))
        .losses();
  }
}
