package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.RandomWeights;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** What a rank with a GPU of its own does with layers that are split over it and its peers. */
final class PulledLayers {
  private static final int LAYERS = 6;
  private static final int STEPS = 3;
  private static final int ALLOCATING_VISITS = 60;

  /**
   * Layers of 24 million weights; 1001 rows are dealt to no two ranks evenly, and no row is even.
   */
  static final LlamaConfig CONFIG =
      new LlamaConfig(
          64, 1001, 7001, LAYERS, 8, 2, 128, 1e-5, null, 10_000, 64, true, null, List.of());

  private PulledLayers() {}

  /** As the rank of a thread that has {@code device} bound, in a tensor scope. */
  static FrozenLayers load(
      Collectives ranks, Device device, DType dtype, double ratio, Transport transport) {
    Placement placement = new Placement(device, dtype, DType.BF16, ranks, ratio, transport);
    return FrozenLayers.load(CONFIG, placement, new RandomWeights(CONFIG, 3));
  }

  /**
   * Goes through all layers forward and backward and asserts that each is what a whole one is. The
   * second rank has more to compute, so that the first comes early to every fetch, and in the next
   * step it is the other way round.
   */
  static void check(
      Collectives ranks, Device device, DType dtype, double ratio, Transport transport) {
    List<Double> expected = whole(device, dtype);
    assertThat(expected).as("layers differ").doesNotHaveDuplicates();
    try (TensorScope scope = new TensorScope();
        FrozenLayers frozen = load(ranks, device, dtype, ratio, transport)) {
      assertThat(frozen.whyGathered().isEmpty())
          .as("layers are pulled: %s", frozen.whyGathered())
          .isEqualTo(transport == Transport.PEERS);
      Tensor busy = Tensors.ones(device, ScalarType.BFloat16, 2048, 2048);
      List<Integer> visited = new ArrayList<>();
      List<Tensor> found = new ArrayList<>();
      for (int step = 0; step < STEPS; step++) {
        int products = (step + ranks.rank()) % 2 == 0 ? 1 : 60;
        for (int layer = 0; layer < LAYERS; layer++) {
          int next = Math.min(layer + 1, LAYERS - 1);
          found.add(visit(frozen, layer, next, device, busy, products));
          visited.add(layer);
        }
        for (int layer = LAYERS - 1; layer >= 0; layer--) {
          int next = layer == 0 ? 1 : layer - 1;
          found.add(visit(frozen, layer, next, device, busy, products));
          visited.add(layer);
        }
      }
      // nothing was asked of the GPU before
      List<Double> prints = found.stream().map(Tensor::item_double).toList();
      ranks.check();
      for (int i = 0; i < prints.size(); i++) {
        assertThat(prints.get(i))
            .as("rank %s, visit %s, layer %s", ranks.rank(), i, visited.get(i))
            .isEqualTo(expected.get(visited.get(i)));
      }
      ranks.barrier();
    }
  }

  /**
   * {@link #check} of layers on the device, on the host and on both, one after the other: most of
   * the time goes into meeting.
   */
  static void checkAll(Collectives ranks, Device device) {
    checkPulled(ranks, device, DType.FP8, 0, 0.5, 1);
    checkPulled(ranks, device, DType.BF16, 0, 0.5, 1);
    checkPulled(ranks, device, DType.FP32, 0.37);
  }

  private static void checkPulled(Collectives ranks, Device device, DType dtype, double... ratios) {
    for (double ratio : ratios) {
      try {
        check(ranks, device, dtype, ratio, Transport.PEERS);
      } catch (RuntimeException | Error e) {
        throw new AssertionError("%s, offload ratio %s".formatted(dtype, ratio), e);
      }
    }
  }

  /**
   * The same where every layer is followed by a gather, and ranks take new memory from the driver
   * meanwhile, each at another time, as training does.
   */
  static void checkWhileAllocating(Collectives ranks, Device device, double ratio) {
    List<Double> expected = whole(device, DType.FP8);
    GpuMemory memory = new GpuMemory(device);
    try (TensorScope scope = new TensorScope();
        FrozenLayers frozen = load(ranks, device, DType.FP8, ratio, Transport.PEERS)) {
      Tensor busy = Tensors.ones(device, ScalarType.BFloat16, 2048, 2048);
      Tensor part = Tensors.ones(device, ScalarType.Float, 1 << 18);
      for (int visit = 0; visit < ALLOCATING_VISITS; visit++) {
        int layer = visit % LAYERS;
        try (TensorScope inner = new TensorScope()) {
          Tensor print = visit(frozen, layer, (layer + 1) % LAYERS, device, busy, 5);
          if (visit % ranks.worldSize() == ranks.rank()) {
            // its peers are in the gather already
            LockSupport.parkNanos(20_000_000);
            memory.emptyOwnCache();
            Tensors.empty(device, ScalarType.Byte, (64L + visit) << 20).zero_();
          }
          Tensor gathered = ranks.allGather(part);
          assertThat(print.item_double()).as("visit %s", visit).isEqualTo(expected.get(layer));
          assertThat(gathered.sum().item_double()).isEqualTo(ranks.worldSize() * (1 << 18));
        }
      }
      ranks.check();
      ranks.barrier();
    }
  }

  /** The fingerprint of a layer after work that a copy must wait for. */
  static Tensor visit(
      FrozenLayers frozen, int layer, int next, Device device, Tensor busy, int products) {
    try (TensorScope scope = new TensorScope()) {
      FrozenLayer weights = frozen.use(layer, next);
      for (int i = 0; i < products; i++) {
        busy.mm(busy);
      }
      return scope.keep(fingerprint(weights, device));
    }
  }

  private static List<Double> whole(Device device, DType dtype) {
    try (TensorScope scope = new TensorScope();
        FrozenLayers resident = load(new SingleRank(), device, dtype, 0, Transport.ANY)) {
      List<Double> prints = new ArrayList<>();
      for (int layer = 0; layer < LAYERS; layer++) {
        FrozenLayer weights = resident.use(layer, FrozenLayers.NONE);
        prints.add(fingerprint(weights, device).item_double());
      }
      return prints;
    }
  }

  /** A sum over all bytes, each weighed by its place. */
  private static Tensor fingerprint(FrozenLayer layer, Device device) {
    Tensor sum = Tensors.zeros(device, ScalarType.Long, 1);
    for (ModuleGroup group : ModuleGroup.values()) {
      FrozenMatrix matrix = layer.matrices().get(group);
      Tensor bytes = matrix.weight().view(ScalarType.Byte);
      Tensor ofRows = bytes.to(ScalarType.Long).mul(places(device, bytes.size(1))).sum(1L);
      sum.add_(ofRows.mul(places(device, bytes.size(0))).sum());
      if (matrix.scale() != null) {
        sum.add_(matrix.scale().view(ScalarType.Int).to(ScalarType.Long).sum());
      }
    }
    // below 2^53, so that a double holds it
    return sum.remainder(new Scalar(1L << 52)).squeeze();
  }

  private static Tensor places(Device device, long n) {
    return Tensors.ones(device, ScalarType.Long, n).cumsum(0).remainder(new Scalar(8191L));
  }
}
