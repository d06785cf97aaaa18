package dev.anneal.training.trainer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.anneal.training.Deviation;
import dev.anneal.training.Property;
import dev.anneal.training.collective.NcclPair;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.optim.Parameters.Gathered;
import dev.anneal.training.optim.Parameters.Summed;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayers.Shard;
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

/** What two ranks train over NCCL: what gradients sum to, what ranks hold, and equal runs. */
@Tag("gpu")
class TrainedByRanksGpuTest {
  private static final int BUCKETS = 16;

  /** A bucket is 16 MB in fp32. */
  private static final long NUMEL = 1L << 22;

  @TempDir Path output;

  @BeforeEach
  void twoGpus() {
    NcclPair.assumeGpus(2);
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
        long part = parameters.layout().parts().part(bucket);
        Tensor found = parameters.ownGradient().narrow(0, bucket * part, part);
        Tensor expected = sum.narrow(0, ranks.rank() * part, part);
        largest = Math.max(largest, Deviation.relative(found, expected));
      }
    }
    return largest;
  }

  @ParameterizedTest
  @EnumSource
  void aRankHoldsItsPartAndTwoBuckets(Gathered gathered) throws Exception {
    List<long[]> held = NcclRanks.run(2, ranks -> held(ranks, gathered));
    Parameters.Holdings declared =
        Parameters.holdings(shapes(), DType.BF16, 2, gathered, Summed.BY_BUCKET);
    long whole = BUCKETS * NUMEL;
    assertThat(declared.gradient() + declared.summing())
        .as("declared of gradients: half of all, and two buckets")
        .isEqualTo(4 * whole / 2 + 2 * 4 * NUMEL);
    assertThat(declared.compute())
        .as("declared of values to compute with: half, and all or two buckets")
        .isEqualTo(2 * whole / 2 + 2 * (gathered == Gathered.ONCE_A_STEP ? whole : 2 * NUMEL));
    for (long[] rank : held) {
      System.out.printf(
          "parameters of two ranks, %s: %.1f MB held, %.1f more at the peak%n",
          gathered, rank[0] / 1e6, rank[1] / 1e6);
      // the moments are the optimizer's
      assertThat(rank[0])
          .as("bytes of parameters on a rank")
          .isCloseTo(declared.total() - declared.moments(), within(1L << 20));
      // what is added, and what random numbers take
      assertThat(rank[1]).as("bytes a micro-batch takes beside").isLessThan(4 * 4 * NUMEL);
    }
  }

  /** Bytes that parameters hold, and how many more a micro-batch takes. */
  private static long[] held(Ranks ranks, Gathered gathered) {
    GpuMemory memory = new GpuMemory(ranks.device());
    try (TensorScope scope = new TensorScope()) {
      long before = memory.allocatedBytes();
      try (Parameters parameters =
          new Parameters(shapes(), DType.BF16, ranks.device(), ranks.world(), gathered)) {
        long lasting = memory.allocatedBytes() - before;
        memory.resetPeak();
        parameters.zeroGradient();
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
          parameters.use(bucket, bucket + 1 < BUCKETS ? bucket + 1 : Parameters.NONE);
        }
        addAll(parameters, ranks.device(), ranks.rank());
        parameters.awaitReductions();
        return new long[] {lasting, memory.peakAllocatedBytes() - before - lasting};
      }
    }
  }

  /** With both, the adapter comes to the checkpoint and to the layers in two ways. */
  @Test
  void whereWeightsLieChangesNoBit() throws Exception {
    List<StepMetrics> whole = onTwo(Shard.NONE, "whole");
    List<StepMetrics> split;
    try (Property property = Property.set(AdapterGathering.PROPERTY, "never")) {
      split = onTwo(Shard.WORLD, "split");
    }
    assertThat(losses(split)).as("losses, weights split").isEqualTo(losses(whole)).isNotEmpty();
    for (String file :
        List.of(
            "step-00000003/adapter_model.safetensors",
            "step-00000003/rank-00000-of-00002.safetensors",
            "step-00000003/rank-00001-of-00002.safetensors")) {
      assertThat(output.resolve("split-checkpoints").resolve(file))
          .hasSameBinaryContentAs(output.resolve("whole-checkpoints").resolve(file));
    }
    assertThat(output.resolve("split").resolve(SafetensorsIndex.ADAPTER_FILE))
        .hasSameBinaryContentAs(output.resolve("whole").resolve(SafetensorsIndex.ADAPTER_FILE));
  }

  /** The steps as rank 0 tells them, with a checkpoint after every third. */
  private List<StepMetrics> onTwo(Shard shard, String name) throws Exception {
    ReferenceRun reference = ReferenceRun.load();
    LocalCheckpoints checkpoints = new LocalCheckpoints(output.resolve(name + "-checkpoints"));
    List<List<StepMetrics>> steps =
        NcclRanks.run(
            2,
            ranks -> {
              RecordingListener listener = new RecordingListener();
              TrainingRun.Inputs inputs =
                  reference.inputs(
                      reference.adapter("adapter_init"), reference.rows(), output.resolve(name));
              TrainingRun.run(
                  recipe(reference, 2, shard),
                  ReferenceRun.with(inputs, checkpoints.every(3)),
                  ranks,
                  listener);
              return listener.steps();
            });
    assertThat(checkpoints.failures()).as("checkpoints that failed").isEmpty();
    assertThat(checkpoints.complete()).as("steps with a checkpoint").contains(3L);
    return steps.get(0);
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
                    recipe(reference, 2, shard), ranks, output.resolve("rank-" + ranks.rank())));
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
        parameters.gradient(bucket).narrow(0, 0, NUMEL).add_(values(device, bucket, seed));
        parameters.reduce(bucket);
      }
    }
  }

  private static Tensor values(Device device, int bucket, int seed) {
    Tensor values = Tensors.empty(device, ScalarType.Float, NUMEL);
    return Tensors.normal(values, 1, 100L * bucket + seed);
  }
}
