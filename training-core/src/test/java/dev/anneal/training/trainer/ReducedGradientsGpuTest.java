package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.anneal.training.Deviation;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenWeights.Shard;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Gradients of two ranks over NCCL: what they sum to, and what they hold meanwhile. */
@Tag("gpu")
class ReducedGradientsGpuTest {
  private static final int BUCKETS = 16;

  /** A bucket is 16 MB in fp32. */
  private static final long NUMEL = 1L << 22;

  @TempDir Path output;

  @BeforeEach
  void twoGpus() {
    NcclRanks.assumeGpus(2);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void theSumIsThatOfAllMicroBatches(int microBatches) throws Exception {
    List<Double> deviations =
        NcclRanks.run(
            2,
            ranks -> {
              try (TensorScope scope = new TensorScope();
                  Parameters parameters = parameters(ranks)) {
                parameters.zeroGradient();
                for (int a = 0; a < microBatches; a++) {
                  addAll(parameters, ranks.device(), 2 * a + ranks.rank());
                }
                parameters.awaitReductions();
                return deviation(parameters, ranks, 2 * microBatches);
              }
            });
    // of fp32 sums of two to six values
    assertThat(deviations)
        .as("relative deviation of each rank's part")
        .allSatisfy(deviation -> assertThat(deviation).isLessThan(2e-7));
  }

  /** The largest of all buckets' deviations from a sum in fp64. */
  private static double deviation(Parameters parameters, Ranks ranks, int seeds) {
    double largest = 0;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
      try (TensorScope scope = new TensorScope()) {
        Tensor sum = Tensors.zeros(ranks.device(), ScalarType.Double, NUMEL);
        for (int seed = 0; seed < seeds; seed++) {
          sum.add_(values(ranks.device(), bucket, seed));
        }
        long part = parameters.parts().part(bucket);
        Tensor found = parameters.ownGradient().narrow(0, bucket * part, part);
        Tensor expected = sum.narrow(0, ranks.rank() * part, part);
        largest = Math.max(largest, Deviation.relative(found, expected));
      }
    }
    return largest;
  }

  @Test
  void aRankHoldsItsPartAndTwoBuckets() throws Exception {
    List<long[]> held =
        NcclRanks.run(
            2,
            ranks -> {
              GpuMemory memory = new GpuMemory(ranks.device());
              try (TensorScope scope = new TensorScope()) {
                long before = memory.allocatedBytes();
                try (Parameters parameters = parameters(ranks)) {
                  long lasting = memory.allocatedBytes() - before;
                  memory.resetPeak();
                  parameters.zeroGradient();
                  addAll(parameters, ranks.device(), ranks.rank());
                  parameters.awaitReductions();
                  return new long[] {lasting, memory.peakAllocatedBytes() - before - lasting};
                }
              }
            });
    Parameters.Holdings declared = 
        Parameters.holdings(shapes(), DType.BF16, 2, Parameters.Gathered.ONCE_A_STEP);
    long whole = BUCKETS * NUMEL;
    assertThat(declared.gradient() + declared.summing())
        .as("declared of gradients: half of all, and two buckets")
        .isEqualTo(4 * whole / 2 + 2 * 4 * NUMEL);
    for (long[] rank : held) {
      System.out.printf(
          "gradients of two ranks: %.1f MB held, %.1f more at the peak%n",
          rank[0] / 1e6, rank[1] / 1e6);
      // the moments are the optimizer's
      assertThat(rank[0])
          .as("bytes of parameters on a rank")
          .isCloseTo(declared.total() - declared.moments(), within(1L << 20));
      // what is added, and what random numbers take
      assertThat(rank[1]).as("bytes a micro-batch takes beside").isLessThan(4 * 4 * NUMEL);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Shard.class,
      names = {"NONE", "WORLD"})
  void lossesOfAdaptersAreThoseOfOneGpu(Shard shard) throws Exception {
    ReferenceRun reference = ReferenceRun.load();
    Ranks single = new Ranks(Device.gpu(0), new SingleRank(), new SingleRank());
    List<StepMetrics> alone =
        reference.train(recipe(reference, 1, Shard.NONE), single, output.resolve("alone"));
    List<List<StepMetrics>> together =
        NcclRanks.run(
            2,
            ranks ->
                reference.train(
                    recipe(reference, 2, shard),
                    ranks,
                    output.resolve("rank-" + ranks.rank())));
    assertThat(losses(together.get(1)))
        .as("losses that rank 1 tells")
        .isEqualTo(losses(together.get(0)));
    for (int i = 0; i < alone.size(); i++) {
      assertThat(together.get(0).get(i).loss())
          .as("loss of step %s on two GPUs", i + 1)
          .isCloseTo(alone.get(i).loss(), withinPercentage(0.2));
      assertThat(together.get(0).get(i).gradNorm())
          .as("gradient norm of step %s on two GPUs", i + 1)
          .isCloseTo(alone.get(i).gradNorm(), withinPercentage(2));
    }
  }

  private static TrainingSpec recipe(ReferenceRun reference, int worldSize, Shard shard) {
    return Recipe.from(reference.spec(worldSize))
        .computeDtype(DType.BF16)
        .baseDtype(DType.BF16)
        .shard(shard)
        .spec();
  }

  private static List<Double> losses(List<StepMetrics> steps) {
    return steps.stream().map(StepMetrics::loss).toList();
  }

  private static Parameters parameters(Ranks ranks) {
    return new Parameters(shapes(), DType.BF16, ranks.device(), ranks.world());
  }

  private static List<List<Parameters.Shape>> shapes() {
    List<List<Parameters.Shape>> shapes = new ArrayList<>();
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
      shapes.add(List.of(new Parameters.Shape("w" + bucket, NUMEL)));
    }
    return shapes;
  }

  private static void addAll(Parameters parameters, Device device, int seed) {
    for (int bucket = BUCKETS - 1; bucket >= 0; bucket--) {
      try (TensorScope scope = new TensorScope()) {
        parameters.accumulate(bucket, values(device, bucket, seed));
        parameters.reduce(bucket);
      }
    }
  }

  private static Tensor values(Device device, int bucket, int seed) {
    Tensor values = Tensors.empty(device, ScalarType.Float, NUMEL);
    return Tensors.normal(values, 1, 100L * bucket + seed);
  }
}
