package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.BusyGpu;
import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.Rows;
import dev.anneal.training.TinyModels;
import dev.anneal.training.collective.FirstOfTwo;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.Leaves;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.optim.Parameters.Gathered;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.Placement;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A rank whose peer's values come late, on the stream of the exchange, computes with them all the
 * same, and overwrites no gradient that the peer has not read. The peer is made up, so one GPU is
 * enough.
 */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class LateExchangeGpuTest {
  private static final Device GPU = Device.gpu(0);

  /** One layer, whose kernels a stream takes while it waits. */
  private static final LlamaConfig CONFIG =
      new LlamaConfig(320, 64, 176, 1, 8, 2, 8, 1e-5, null, 10_000, 512, false, null, List.of());

  private static final long SEED = 9;

  /** Of four buckets. */
  private static final List<String> NAMES = List.of("a", "b", "c", "d");

  /** How values are asked for. */
  private enum Asked {
    BY_NAME(parameters -> parameters.compute("b")),
    AS_A_LEAF(parameters -> new Leaves(parameters).use("b").detach()),
    AS_A_BUCKET(
        parameters -> parameters.compute(parameters.use(1, Parameters.NONE), 1).narrow(0, 0, 4096)),
    AS_A_WHOLE(parameters -> parameters.compute().narrow(0, 4096, 4096));

    // a lambda is immutable, but its type does not say so
    @SuppressWarnings("ImmutableEnumChecker")
    private final Function<Parameters, Tensor> values;

    Asked(Function<Parameters, Tensor> values) {
      this.values = values;
    }
  }

  @BeforeEach
  void deterministic() {
    GpuMath.deterministic();
  }

  @ParameterizedTest
  @EnumSource
  void whatIsAskedForIsThereForTheCurrentStream(Asked asked) {
    assertIsThere(asked, Gathered.ONCE_A_STEP);
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "AS_A_WHOLE")
  void whatComesByBucketIsThereForTheCurrentStream(Asked asked) {
    assertIsThere(asked, Gathered.BY_BUCKET);
  }

  private static void assertIsThere(Asked asked, Gathered gathered) {
    try (BusyGpu busy = new BusyGpu(GPU);
        Parameters parameters =
            new Parameters(buckets("a", "b"), DType.BF16, GPU, new LatePeer(busy), gathered)) {
      // kernels are loaded, and whoever comes early finds zeros, in either place
      for (int i = 0; i < 2; i++) {
        parameters.publish();
        assertThat(asked.values.apply(parameters).clone().sum().item_double()).isZero();
      }
      parameters.assign("b", Tensors.ones(Device.CPU, ScalarType.Float, 4096));
      torch_cuda.device_synchronize();
      busy.hold();
      parameters.publish();
      Tensor sum = asked.values.apply(parameters).clone().sum();
      assertThat(busy.isDone())
          .as("the exchange is over before anybody could come early")
          .isFalse();
      busy.end();
      // this rank has ones, and its peer half of that
      assertThat(sum.item_double()).as("sum of the values in the end").isEqualTo(2048 + 1024);
    }
  }

  /** The third bucket takes the place of the first, which the current stream has yet to read. */
  @Test
  void aBucketStaysInItsPlaceUntilItIsUsed() {
    try (BusyGpu busy = new BusyGpu(GPU);
        Parameters parameters =
            new Parameters(
                buckets("a", "b", "c"), DType.BF16, GPU, new PromptPeer(), Gathered.BY_BUCKET)) {
      for (int i = 1; i <= 3; i++) {
        Tensor ones = Tensors.ones(Device.CPU, ScalarType.Float, 4096);
        parameters.assign("abc".substring(i - 1, i), ones.mul(Tensors.scalar(i)));
      }
      parameters.publish();
      Tensor read = Tensors.zeros(GPU, ScalarType.BFloat16, 4096);
      // kernels are loaded
      parameters.compute("c").clone();
      parameters.publish();
      torch_cuda.device_synchronize();
      int place = parameters.use(0, 1);
      busy.hold();
      busy.begin();
      read.copy_(parameters.compute(place, 0).narrow(0, 0, 4096));
      parameters.use(1, 2);
      int third = parameters.use(2, Parameters.NONE);
      assertThat(third).as("place of the third bucket").isEqualTo(place);
      Tensor last = parameters.compute(third, 2).clone();
      assertThat(busy.isDone())
          .as("the first is read before anything could be too early")
          .isFalse();
      busy.end();
      // this rank has ones, and its peer half of that
      assertThat(read.sum().item_double()).as("sum of what was read").isEqualTo(2048 + 1024);
      assertThat(last.to(ScalarType.Float).sum().item_double())
          .as("sum of the third bucket")
          .isEqualTo(3 * (2048 + 1024));
    }
  }

  @Test
  void aBucketComesOnceTheUpdateIsThere() {
    try (BusyGpu busy = new BusyGpu(GPU);
        Parameters parameters =
            new Parameters(
                buckets("a", "b"), DType.BF16, GPU, new PromptPeer(), Gathered.BY_BUCKET)) {
      // kernels are loaded, and whoever comes early finds twos
      parameters.master().fill_(Tensors.scalar(2));
      parameters.publish();
      parameters.compute("a").clone();
      parameters.compute("b").clone();
      parameters.use(0, 1);
      torch_cuda.device_synchronize();
      busy.hold();
      busy.begin();
      parameters.master().fill_(Tensors.scalar(1));
      parameters.publish();
      Tensor first = parameters.compute("a").clone();
      Tensor second = parameters.compute("b").clone();
      assertThat(busy.isDone()).as("the update is there before anybody could be early").isFalse();
      busy.end();
      assertThat(first.to(ScalarType.Float).sum().item_double()).isEqualTo(2048 + 1024);
      assertThat(second.to(ScalarType.Float).sum().item_double()).isEqualTo(2048 + 1024);
    }
  }

  private static List<List<Parameters.Shape>> buckets(String... names) {
    return Stream.of(names).map(name -> List.of(new Parameters.Shape(name, 4096))).toList();
  }

  /** How a bucket's gradient is added to. */
  private enum Added {
    BY_NAME((parameters, name, values) -> parameters.accumulate(name, values)),
    AS_A_BUCKET(
        (parameters, name, values) ->
            parameters.gradient(parameters.layout().bucket(name)).add_(values));

    // a lambda is immutable, but its type does not say so
    @SuppressWarnings("ImmutableEnumChecker")
    private final Add to;

    Added(Add to) {
      this.to = to;
    }
  }

  private interface Add {
    void add(Parameters parameters, String name, Tensor values);
  }

  /** Four buckets of ones, twos, threes and fours, twice: they have two places among them. */
  @ParameterizedTest
  @EnumSource
  void aGradientStaysUntilItIsSummed(Added added) {
    try (BusyGpu busy = new BusyGpu(GPU);
        Parameters parameters =
            new Parameters(buckets("a", "b", "c", "d"), DType.BF16, GPU, new LateSums(busy))) {
      List<Tensor> values = new ArrayList<>();
      for (int i = 1; i <= NAMES.size(); i++) {
        values.add(Tensors.ones(GPU, ScalarType.Float, 4096).mul(Tensors.scalar(i)));
      }
      // kernels are loaded
      addTwice(parameters, added, values);
      parameters.awaitReductions();
      parameters.zeroGradient();
      torch_cuda.device_synchronize();
      busy.hold();
      addTwice(parameters, added, values);
      assertThat(busy.isDone())
          .as("the sums are taken before anything could be overwritten")
          .isFalse();
      busy.end();
      parameters.awaitReductions();
      for (int i = 0; i < NAMES.size(); i++) {
        // of two halves in two micro-batches
        double expected = 2 * 2 * (i + 1);
        Tensor own = parameters.ownGradient().narrow(0, i * 2048L, 2048);
        assertThat(own.min().item_double()).as("least of %s", NAMES.get(i)).isEqualTo(expected);
        assertThat(own.max().item_double()).as("most of %s", NAMES.get(i)).isEqualTo(expected);
      }
    }
  }

  /** In two micro-batches. */
  private static void addTwice(Parameters parameters, Added added, List<Tensor> values) {
    for (int microBatch = 1; microBatch <= 2; microBatch++) {
      for (int i = NAMES.size() - 1; i >= 0; i--) {
        added.to.add(parameters, NAMES.get(i), values.get(i));
        parameters.reduce(i);
      }
    }
  }

  @Test
  void adaptersUnderDropoutAreThoseOfThePeerToo() {
    assertWaits(DType.BF16, new Dropout(0.3, 5));
  }

  @Test
  void adaptersInFp32AreThoseOfThePeerToo() {
    assertWaits(DType.FP32, Dropout.NONE);
  }

  private static void assertWaits(DType dtype, Dropout dropout) {
    try (BusyGpu busy = new BusyGpu(GPU)) {
      LoraSpec spec = new LoraSpec(3, 6, dropout.p(), false, List.of("all-linear"));
      Placement placement = new Placement(GPU, dtype, dtype, new SingleRank(), 0);
      try (TrainableModel model =
          TinyModels.lora(
              CONFIG,
              new LoudWeights(1),
              spec,
              new LoudWeights(2),
              placement,
              new LatePeer(busy))) {
        assertWaits(busy, model, dtype, dropout);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"FP32", "BF16"})
  void allWeightsAreThoseOfThePeerToo(DType dtype) {
    try (BusyGpu busy = new BusyGpu(GPU);
        TrainableModel model =
            TinyModels.full(CONFIG, new LoudWeights(1), dtype, GPU, new LatePeer(busy))) {
      assertWaits(busy, model, dtype, Dropout.NONE);
    }
  }

  private static void assertWaits(
      BusyGpu busy, TrainableModel model, DType dtype, Dropout dropout) {
    Parameters parameters = model.parameters();
    Llama llama = Llama.reference(model, GPU, dtype, KeptActivations.INPUTS);
    TokenBatch batch = TokenBatch.of(Rows.random(CONFIG.vocabSize(), SEED, 17, 5));
    double expected = llama.forwardBackward(batch, dropout, parameters::reduce).item_double();
    torch_cuda.device_synchronize();
    Tensor gradient = parameters.ownGradient().clone();

    // whoever comes early finds zeros
    parameters.compute().zero_();
    parameters.zeroGradient();
    torch_cuda.device_synchronize();
    busy.hold();
    parameters.publish();
    Tensor found = llama.forwardBackward(batch, dropout, parameters::reduce);
    assertThat(busy.isDone()).as("the exchange is over before anybody could come early").isFalse();
    busy.end();
    assertThat(found.item_double()).as("loss while the peer is late").isEqualTo(expected);
    parameters.awaitReductions();
    assertThat(parameters.ownGradient().equal(gradient)).as("gradient, bit for bit").isTrue();
  }

  /** Rank 0 of two, whose peer sends half of what this rank has, and late. */
  private record LatePeer(BusyGpu busy) implements FirstOfTwo {
    @Override
    public void allGatherInto(Tensor whole, Tensor shard) {
      busy.begin();
      withHalf(whole, shard);
    }

    /** Of both halves, so that none is missed. */
    @Override
    public void reduceScatterSum(Tensor shard, Tensor whole) {
      sumOfHalves(shard, whole);
    }
  }

  /** Rank 0 of two, whose peer sends half of what this rank has. */
  private record PromptPeer() implements FirstOfTwo {
    @Override
    public void allGatherInto(Tensor whole, Tensor shard) {
      withHalf(whole, shard);
    }
  }

  /** Rank 0 of two, whose peer is late with every sum. */
  private record LateSums(BusyGpu busy) implements FirstOfTwo {
    @Override
    public void allGatherInto(Tensor whole, Tensor shard) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void reduceScatterSum(Tensor shard, Tensor whole) {
      busy.begin();
      sumOfHalves(shard, whole);
    }
  }

  private static void withHalf(Tensor whole, Tensor shard) {
    try (TensorScope scope = new TensorScope()) {
      long n = shard.numel();
      whole.narrow(0, 0, n).copy_(shard);
      whole.narrow(0, n, n).copy_(shard.mul(Tensors.scalar(0.5)));
    }
  }

  private static void sumOfHalves(Tensor shard, Tensor whole) {
    try (TensorScope scope = new TensorScope()) {
      long n = shard.numel();
      shard.copy_(whole.narrow(0, 0, n).add(whole.narrow(0, n, n)));
    }
  }
}
