package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.Deviation;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GatheringThrough;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.MappedMemory;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.optim.Parameters.Exchange;
import dev.anneal.training.optim.Parameters.Gathered;
import dev.anneal.training.optim.Parameters.Summed;
import dev.anneal.training.peer.HostPeerDriver;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.trainer.GlooRanks;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Gradients of several ranks, summed bucket by bucket and all together, against whole ones. */
class ReducedGradientsTest {
  /** Of different sizes, with padding for any number of ranks but one, and one without anything. */
  private static final List<List<Parameters.Shape>> BUCKETS =
      List.of(
          List.of(new Parameters.Shape("a", 7, 3), new Parameters.Shape("b", 5)),
          List.of(),
          List.of(new Parameters.Shape("c", 11)),
          List.of(new Parameters.Shape("d", 129), new Parameters.Shape("e", 2, 2)),
          List.of(new Parameters.Shape("f", 48)));

  private static final int FIRST_SEED = 100;

  /** What a rank does with the parameters that it holds a part of. */
  private interface Work {
    void run(Parameters parameters, Collectives world) throws Exception;
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void oneSumAStepIsThatOfWholeGradientsBitForBit(int worldSize) throws Exception {
    onRanks(
        worldSize,
        (parameters, world) -> {
          addAll(parameters, seed(world.rank(), 0));
          parameters.awaitReductions();
          Tensor whole = wholeGradient(seed(world.rank(), 0), parameters.layout().parts());
          sumBucketByBucket(world, whole, parameters.layout().parts());
          assertBits(
              parameters.ownGradient(), part(whole, parameters.layout().parts(), world.rank()));
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void stepsMoveParametersAsWholeGradientsDoBitForBit(int worldSize) throws Exception {
    onRanks(
        worldSize,
        (parameters, world) -> {
          try (Kernels kernels = Kernels.on(Device.CPU)) {
            AdamWSpec spec = new AdamWSpec(0.01, 0.1, 0.9, 0.999, 1e-8);
            AdamW optimizer = new AdamW(spec, parameters, kernels);
            Parameters alone = new Parameters(BUCKETS, DType.FP32, Device.CPU, new SingleRank());
            AdamW aloneOptimizer = new AdamW(spec, alone, kernels);
            for (int step = 0; step < 3; step++) {
              parameters.zeroGradient();
              addAll(parameters, seed(world.rank(), step));
              parameters.awaitReductions();
              optimizer.step(0.01, 0.25);

              Tensor whole = wholeGradient(seed(world.rank(), step), parameters.layout().parts());
              sumBucketByBucket(world, whole, parameters.layout().parts());
              alone.zeroGradient();
              addUnpadded(alone, whole, parameters.layout().parts());
              aloneOptimizer.step(0.01, 0.25);
            }
            for (String name : parameters.layout().names()) {
              int bucket = parameters.layout().bucket(name);
              assertBits(
                  parameters.layout().inBucket(parameters.gatherMaster(bucket), name),
                  alone.layout().inBucket(alone.gatherMaster(bucket), name));
            }
          }
        });
  }

  @ParameterizedTest
  @CsvSource({"2, 4", "3, 2", "1, 4"})
  void microBatchesOfAllRanksAddUp(int worldSize, int accumulation) throws Exception {
    onRanks(
        worldSize,
        (parameters, world) -> {
          Tensor expected =
              Tensors.zeros(ScalarType.Double, wholeNumel(parameters.layout().parts()));
          for (int a = 0; a < accumulation; a++) {
            addAll(parameters, seed(world.rank(), a));
            for (int rank = 0; rank < worldSize; rank++) {
              expected.add_(wholeGradient(seed(rank, a), parameters.layout().parts()));
            }
          }
          parameters.awaitReductions();
          double deviation =
              Deviation.relative(
                  parameters.ownGradient(),
                  part(expected, parameters.layout().parts(), world.rank()));
          assertThat(deviation).isLessThan(2e-7);
        });
  }

  @Test
  void aStepKnowsNothingOfTheOneBefore() throws Exception {
    onRanks(
        2,
        (parameters, world) -> {
          addAll(parameters, seed(world.rank(), 0));
          addAll(parameters, seed(world.rank(), 1));
          parameters.zeroGradient();
          assertThat(parameters.ownGradient().count_nonzero().item_long()).isZero();
          addAll(parameters, seed(world.rank(), 2));
          parameters.awaitReductions();
          Tensor whole = wholeGradient(seed(world.rank(), 2), parameters.layout().parts());
          sumBucketByBucket(world, whole, parameters.layout().parts());
          assertBits(
              parameters.ownGradient(), part(whole, parameters.layout().parts(), world.rank()));
        });
  }

  /** As the embedding is where it is the head too. */
  @Test
  void aBucketMayBeWrittenBeforeAndAfterOthers() throws Exception {
    onRanks(
        2,
        (parameters, world) -> {
          add(parameters, "f", 1);
          for (String name : List.of("d", "c", "a")) {
            add(parameters, name, 2);
            parameters.reduce(parameters.layout().bucket(name));
          }
          add(parameters, "f", 3);
          parameters.reduce(parameters.layout().bucket("f"));
          parameters.awaitReductions();
          assertSum(parameters, world, 2 * 2 * (129 + 11 + 21) + 2 * 4 * 48);
        });
  }

  @Test
  void aRankWithNothingToAddTakesPart() throws Exception {
    onRanks(
        3,
        (parameters, world) -> {
          // places that are not new
          addAll(parameters, seed(world.rank(), 0));
          parameters.zeroGradient();
          if (world.rank() == 1) {
            add(parameters, "c", 5);
          }
          parameters.reduce(2);
          parameters.reduce(1);
          parameters.reduce(0);
          parameters.awaitReductions();
          assertSum(parameters, world, 5 * 11);
        });
  }

  @Test
  void noThirdBucketIsWholeBesideTwo() throws Exception {
    onRanks(
        2,
        Summed.BY_BUCKET,
        (parameters, world) -> {
          add(parameters, "a", 1);
          add(parameters, "c", 1);
          assertThatThrownBy(() -> add(parameters, "d", 1))
              .isInstanceOf(IllegalStateException.class)
              .hasMessage(
                  "bucket 3 is written before buckets [0, 2] are summed over the ranks: reduce one of them first");
          assertThatThrownBy(parameters::awaitReductions)
              .isInstanceOf(IllegalStateException.class)
              .hasMessage("the gradient of bucket 0 was not summed over the ranks");
          // a step that failed leaves nothing to the next
          parameters.zeroGradient();
          add(parameters, "d", 1);
          parameters.reduce(3);
          parameters.awaitReductions();
          assertSum(parameters, world, 2 * 129);
        });
  }

  @Test
  void oneRankHasNoWholeGradientsBesideItsOwn() throws Exception {
    onRanks(
        1,
        (parameters, world) -> {
          add(parameters, "a", 1);
          add(parameters, "c", 1);
          add(parameters, "d", 1);
          parameters.awaitReductions();
          assertSum(parameters, world, 21 + 11 + 129);
        });
    for (Summed summed : Summed.values()) {
      assertThat(holdings(1, summed).summing()).isZero();
    }
  }

  /** The largest bucket has 133 elements, and a rank's part of it a multiple of eight. */
  @ParameterizedTest
  @CsvSource({"2, 144", "3, 144", "8, 192"})
  void twoWholeGradientsAreHeldWhateverTheModel(int worldSize, long largest) {
    Parameters.Holdings holdings = holdings(worldSize, Summed.BY_BUCKET);
    assertThat(holdings.summing()).isEqualTo(2 * largest * Float.BYTES);
    assertThat(holdings.gradient()).isEqualTo(holdings.master());
  }

  /** The buckets have 26, 0, 11, 133 and 48 elements. */
  @ParameterizedTest
  @CsvSource({"2, 32, 16, 144, 48", "3, 48, 24, 144, 48"})
  void allWholeGradientsAreHeldWhereSumsArePutOff(int worldSize, long a, long c, long d, long f) {
    assertThat(holdings(worldSize, Summed.BY_MICRO_BATCH).summing())
        .isEqualTo((a + c + d + f) * Float.BYTES);
  }

  /** Sums that are put off are the same sums, in the same order. */
  @ParameterizedTest
  @CsvSource({"2, 1", "2, 3", "3, 2"})
  void whenTheyAreSummedChangesNoBit(int worldSize, int accumulation) throws Exception {
    onRanks(
        worldSize,
        Summed.BY_BUCKET,
        (one, world) -> {
          Parameters other =
              new Parameters(
                  BUCKETS,
                  DType.FP32,
                  world,
                  new Exchange(Device.CPU, Gathered.ONCE_A_STEP, Summed.BY_MICRO_BATCH));
          for (Parameters parameters : List.of(one, other)) {
            for (int a = 0; a < accumulation; a++) {
              addAll(parameters, seed(world.rank(), a));
            }
            parameters.awaitReductions();
          }
          assertBits(other.ownGradient(), one.ownGradient());
        });
  }

  @Test
  void whatIsPutOffIsSummedBeforeItIsWrittenAgain() throws Exception {
    onRanks(
        2,
        Summed.BY_MICRO_BATCH,
        (parameters, world) -> {
          add(parameters, "a", 1);
          add(parameters, "c", 1);
          parameters.reduce(2);
          parameters.reduce(0);
          assertSum(parameters, world, 0);
          add(parameters, "c", 10);
          assertSum(parameters, world, 2 * (21 + 11));
          assertThatThrownBy(parameters::awaitReductions)
              .hasMessage("the gradient of bucket 2 was not summed over the ranks");
          parameters.reduce(2);
          parameters.awaitReductions();
          assertSum(parameters, world, 2 * (21 + 11) + 2 * 10 * 11);
        });
  }

  private static Parameters.Holdings holdings(int worldSize, Summed summed) {
    return Parameters.holdings(BUCKETS, DType.FP32, worldSize, Gathered.ONCE_A_STEP, summed);
  }

  private static void onRanks(int worldSize, Work work) throws Exception {
    for (Summed summed : Summed.values()) {
      onRanks(worldSize, summed, work);
      if (worldSize > 1) {
        onCopyingRanks(worldSize, summed, work);
      }
    }
  }

  private static void onCopyingRanks(int worldSize, Summed summed, Work work) throws Exception {
    assertAllEnd(
        worldSize,
        world -> {
          HostPeerDriver driver = new HostPeerDriver(world.rank());
          PeerArena arena = PeerArena.open(world, Device.CPU, driver, new MappedMemory());
          Exchange exchange = new Exchange(Gathered.ONCE_A_STEP, summed, arena);
          try (TensorScope scope = new TensorScope();
              Parameters parameters = new Parameters(BUCKETS, DType.FP32, world, exchange)) {
            assertThat(parameters.exchangesByCopies()).isFalse();
            parameters.exchangeByCopies();
            assertThat(parameters.exchangesByCopies()).isTrue();
            work.run(parameters, new RankOrder(world));
          }
          assertThat(driver.held()).as("opened, mapped and allocated").isZero();
        });
  }

  /** Sums as copies are added: in the order of the ranks. */
  private record RankOrder(Collectives world) implements GatheringThrough {
    @Override
    public void allReduceSum(Tensor tensor) {
      Tensor flat = tensor.reshape(tensor.numel());
      long n = flat.numel();
      Tensor all = world.allGather(flat);
      flat.copy_(all.narrow(0, 0, n));
      for (int rank = 1; rank < worldSize(); rank++) {
        flat.add_(all.narrow(0, rank * n, n));
      }
    }
  }

  private static void onRanks(int worldSize, Summed summed, Work work) throws Exception {
    assertAllEnd(
        worldSize,
        world -> {
          Exchange exchange = new Exchange(Device.CPU, Gathered.ONCE_A_STEP, summed);
          try (TensorScope scope = new TensorScope();
              Parameters parameters = new Parameters(BUCKETS, DType.FP32, world, exchange)) {
            work.run(parameters, world);
          }
        });
  }

  private static void assertAllEnd(int worldSize, GlooRanks.Work rank) throws Exception {
    assertThat(GlooRanks.run(worldSize, rank)).containsOnlyNulls();
  }

  private static int seed(int rank, int microBatch) {
    return FIRST_SEED + 10 * microBatch + rank;
  }

  /** A micro-batch's gradients from the last bucket to the first: by name, and as whole buckets. */
  private static void addAll(Parameters parameters, int seed) {
    for (int bucket = BUCKETS.size() - 1; bucket >= 0; bucket--) {
      Tensor values = gradient(bucket, seed);
      // fused layers add to a layer without adapters too
      if (bucket % 2 == 0 || BUCKETS.get(bucket).isEmpty()) {
        parameters.gradient(bucket).narrow(0, 0, values.numel()).add_(values);
      } else {
        for (Parameters.Shape shape : BUCKETS.get(bucket)) {
          parameters.accumulate(shape.name(), parameters.layout().inBucket(values, shape.name()));
        }
      }
      parameters.reduce(bucket);
    }
  }

  private static void add(Parameters parameters, String name, double value) {
    Tensor ones = Tensors.ones(Device.CPU, ScalarType.Float, parameters.layout().shape(name));
    parameters.accumulate(name, ones.mul(Tensors.scalar(value)));
  }

  /** Without padding. */
  private static Tensor gradient(int bucket, int seed) {
    long numel = BUCKETS.get(bucket).stream().mapToLong(Parameters.Shape::numel).sum();
    return Tensors.normal(Tensors.empty(ScalarType.Float, numel), 1, seed + 1000 * bucket);
  }

  /** One rank's gradient of all buckets with their padding, end to end. */
  private static Tensor wholeGradient(int seed, BucketParts parts) {
    Tensor whole = Tensors.zeros(ScalarType.Float, wholeNumel(parts));
    for (int bucket = 0; bucket < BUCKETS.size(); bucket++) {
      Tensor values = gradient(bucket, seed);
      whole.narrow(0, parts.worldSize() * parts.offset(bucket), values.numel()).copy_(values);
    }
    return whole;
  }

  private static long wholeNumel(BucketParts parts) {
    return parts.worldSize() * parts.total();
  }

  /** How whole gradients were reduced. */
  private static void sumBucketByBucket(Collectives world, Tensor whole, BucketParts parts) {
    for (int bucket = 0; bucket < BUCKETS.size(); bucket++) {
      if (parts.part(bucket) > 0) {
        world.allReduceSum(
            whole.narrow(0, parts.worldSize() * parts.offset(bucket), parts.whole(bucket)));
      }
    }
  }

  private static void addUnpadded(Parameters alone, Tensor whole, BucketParts parts) {
    for (int bucket = 0; bucket < BUCKETS.size(); bucket++) {
      long numel = alone.layout().parts().part(bucket);
      alone.gradient(bucket).add_(whole.narrow(0, parts.worldSize() * parts.offset(bucket), numel));
    }
  }

  private static Tensor part(Tensor whole, BucketParts parts, int rank) {
    Tensor part = Tensors.zeros(whole.scalar_type(), parts.total());
    for (int bucket = 0; bucket < BUCKETS.size(); bucket++) {
      long from = parts.worldSize() * parts.offset(bucket) + rank * parts.part(bucket);
      part.narrow(0, parts.offset(bucket), parts.part(bucket))
          .copy_(whole.narrow(0, from, parts.part(bucket)));
    }
    return part;
  }

  private static void assertBits(Tensor found, Tensor expected) {
    assertThat(found.count_nonzero().item_long()).isPositive();
    assertThat(found.equal(expected)).as("bit for bit").isTrue();
  }

  private static void assertSum(Parameters parameters, Collectives world, double expected) {
    Tensor sum = parameters.ownGradient().sum();
    world.allReduceSum(sum);
    assertThat(sum.item_double()).isEqualTo(expected);
  }
}
