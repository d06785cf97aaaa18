package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.cuda.PageLocks;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayers.Holdings;
import dev.anneal.training.weights.reader.LoadProgress;
import dev.anneal.training.weights.reader.RandomWeights;
import dev.anneal.training.weights.reader.WantedRows;
import dev.anneal.training.weights.reader.WeightReader;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Layers that copies overlap with are the layers that are resident. */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class FrozenLayersGpuTest {
  private static final Device GPU = Device.gpu(0);
  private static final int LAYERS = 5;
  private static final int STEPS = 3;

  /** Layers of 50 MB in bf16, so that a copy takes a while. */
  private static final LlamaConfig CONFIG =
      new LlamaConfig(
          64, 1024, 7000, LAYERS, 8, 2, 128, 1e-5, null, 10_000, 64, true, null, List.of());

  @ParameterizedTest
  @CsvSource({
    "FP8, 1, 0.5",
    "FP8, 1, 1",
    "BF16, 1, 0.37",
    "FP32, 1, 0.5",
    "FP8, 2, 0",
    "FP8, 2, 0.5",
    "FP8, 3, 0.3",
    "BF16, 3, 1",
    "FP32, 2, 0"
  })
  void everyLayerIsWhatAResidentOneIs(DType dtype, int ranks, double ratio) {
    FrozenLayers resident = load(dtype, new SingleRank(), 0);
    List<Double> expected = new ArrayList<>();
    for (int layer = 0; layer < LAYERS; layer++) {
      expected.add(fingerprint(resident.use(layer, FrozenLayers.NONE)).item_double());
    }
    assertThat(expected).doesNotHaveDuplicates();
    torch_cuda.device_synchronize();
    ThreadRanks.run(
        ranks,
        rank -> {
          Collectives shard = ranks == 1 ? new SingleRank() : rank;
          try (FrozenLayers frozen = load(dtype, shard, ratio)) {
            assertThat(fingerprints(frozen)).isEqualTo(expectedOf(expected));
          }
          return null;
        });
  }

  /**
   * Forward and backward, with products enqueued before a layer is read, so that copies that do not
   * wait for them would come too early; and nothing asked of the GPU until the end.
   */
  private static List<Double> fingerprints(FrozenLayers frozen) {
    List<Tensor> found = new ArrayList<>();
    Tensor busy = Tensors.ones(GPU, ScalarType.BFloat16, 4096, 4096);
    for (int step = 0; step < STEPS; step++) {
      for (int layer = 0; layer < LAYERS; layer++) {
        found.add(visit(frozen, layer, Math.min(layer + 1, LAYERS - 1), busy));
      }
      for (int layer = LAYERS - 1; layer >= 0; layer--) {
        found.add(visit(frozen, layer, layer == 0 ? 1 : layer - 1, busy));
      }
    }
    return found.stream().map(Tensor::item_double).toList();
  }

  private static Tensor visit(FrozenLayers frozen, int layer, int next, Tensor busy) {
    try (TensorScope scope = new TensorScope()) {
      FrozenLayer weights = frozen.use(layer, next);
      for (int i = 0; i < 20; i++) {
        busy.mm(busy);
      }
      return scope.keep(fingerprint(weights));
    }
  }

  private static List<Double> expectedOf(List<Double> ofLayers) {
    List<Double> expected = new ArrayList<>();
    for (int step = 0; step < STEPS; step++) {
      expected.addAll(ofLayers);
      for (int layer = LAYERS - 1; layer >= 0; layer--) {
        expected.add(ofLayers.get(layer));
      }
    }
    return expected;
  }

  /** A sum over all bytes, each weighed by its place, so that no two layers have the same. */
  private static Tensor fingerprint(FrozenLayer layer) {
    Tensor sum = Tensors.zeros(GPU, ScalarType.Long, 1);
    for (ModuleGroup group : ModuleGroup.values()) {
      FrozenMatrix matrix = layer.matrices().get(group);
      Tensor bytes = matrix.weight().view(ScalarType.Byte);
      Tensor ofRows = bytes.to(ScalarType.Long).mul(places(bytes.size(1))).sum(1L);
      sum.add_(ofRows.mul(places(bytes.size(0))).sum());
      if (matrix.scale() != null) {
        sum.add_(matrix.scale().view(ScalarType.Int).to(ScalarType.Long).sum());
      }
    }
    // below 2^53, so that a double holds it
    return sum.remainder(new Scalar(1L << 52)).squeeze();
  }

  private static Tensor places(long n) {
    return Tensors.ones(GPU, ScalarType.Long, n).cumsum(0).remainder(new Scalar(8191L));
  }

  @Test
  void takesTheMemoryThatItSays() {
    for (double ratio : new double[] {0, 0.5}) {
      try (TensorScope scope = new TensorScope()) {
        GpuMemory memory = new GpuMemory(GPU);
        Tensors.zeros(GPU, ScalarType.Byte, 1);
        long before = memory.allocatedBytes();
        try (FrozenLayers frozen = load(DType.BF16, new SingleRank(), ratio)) {
          Holdings holdings = frozen.holdings();
          long held = memory.allocatedBytes() - before;
          assertThat(held - holdings.deviceBytes() - holdings.bufferBytes())
              .as("norms and rounding")
              // libtorch leaves up to 1 MiB of a block with its tensor: one a layer, and two
              // buffers
              .isBetween(0L, (LAYERS + 3L) << 20);
          long layers = LAYERS * (1536 + 1024 + 14_000 + 7000) * 1024L * 2;
          assertThat(holdings.deviceBytes() + holdings.pinnedBytes()).isEqualTo(layers);
          Placement placement = new Placement(GPU, DType.BF16, DType.BF16, new SingleRank(), ratio);
          assertThat(holdings.pinnedBytes())
              .as("page-locked bytes at ratio %s", ratio)
              .isEqualTo(FrozenLayers.holdings(CONFIG, placement).pinnedBytes());
        }
      }
    }
  }

  @Test
  void rowsOnTheHostAreLockedUntilTheyAreClosed() {
    LayerLayout layout = LayerLayout.of(CONFIG, DType.BF16, 1, 0, 0.5);
    List<Long> told = new ArrayList<>();
    LayerShards shards =
        new LayerShards(layout, DType.BF16, LAYERS, PeerArena.ordinary(GPU, null, ""), told::add);
    assertThat(told).isSorted().endsWith(LAYERS * layout.hostBytes());
    List<Tensor> rows = new ArrayList<>();
    for (int layer = 0; layer < LAYERS; layer++) {
      rows.addAll(shards.onHost(layer, layout.parts().get(2)));
    }
    assertThat(rows).hasSize(LAYERS).allMatch(PageLocks::isLocked);
    shards.close();
    assertThat(rows).noneMatch(PageLocks::isLocked);
  }

  /** 24.1 million weights a layer; the largest matrix is 14.3 million. */
  @ParameterizedTest
  @EnumSource
  void aLayerInTheComputeDtypeHoldsNothingElse(DType stored) {
    GpuMemory memory = new GpuMemory(GPU);
    FrozenLayers frozen = load(stored, new SingleRank(), 0);
    frozen.layer(0);
    torch_cuda.device_synchronize();
    long before = memory.allocatedBytes();
    memory.resetPeak();
    try (TensorScope scope = new TensorScope()) {
      frozen.layer(1);
      long held = memory.allocatedBytes() - before;
      long peak = memory.peakAllocatedBytes() - before;
      long layer = (1536 + 1024 + 14_000 + 7000) * 1024L * DType.BF16.bytes();
      System.out.printf(
          "a layer of %.1f MB kept in %s: %.1f MB held, %.1f MB at most%n",
          layer / 1e6, stored, held / 1e6, peak / 1e6);
      assertThat(held).as("bytes of a layer kept in %s", stored).isBetween(0L, layer + (4L << 20));
      // the fp32 values of a matrix and of their FP8 bytes, one matrix after the other
      assertThat(peak)
          .as("bytes while a layer kept in %s is brought", stored)
          .isLessThan(layer + 2 * 14_000 * 1024L * Float.BYTES);
    }
  }

  @Test
  void quantizesAsTheHostDoes() {
    Tensor weight = Tensors.normal(Tensors.empty(ScalarType.Float, 37, 1000), 0.02, 3);
    weight.select(0, 5).zero_();
    var host = Fp8.quantize(weight);
    var device = Fp8.quantize(Tensors.to(GPU, weight));
    assertThat(Tensors.to(Device.CPU, device.scale()).equal(host.scale())).isTrue();
    Tensor bytes = Tensors.to(Device.CPU, device.bytes().view(ScalarType.Byte));
    assertThat(bytes.equal(host.bytes().view(ScalarType.Byte))).isTrue();
  }

  @Test
  void randomWeightsAreTheSameWhoeverMakesThem() {
    RandomWeights weights = new RandomWeights(CONFIG, 3);
    String name = "model.layers.1.mlp.gate_proj.weight";
    Tensor whole = read(weights, name, 0, 7000);
    assertThat(read(weights, name, 333, 1001).equal(whole.narrow(0, 333, 1001))).isTrue();
    assertThat(whole.std().item_double()).isBetween(0.0199, 0.0201);
    assertThat(whole.narrow(0, 0, 128).equal(whole.narrow(0, 128, 128))).isFalse();
  }

  private static Tensor read(WeightReader weights, String name, long first, long count) {
    Tensor rows = Tensors.zeros(GPU, ScalarType.Float, count, CONFIG.hiddenSize());
    WantedRows.Sink sink = (row, values) -> rows.narrow(0, row, values.size(0)).copy_(values);
    weights.stream(
        List.of(new WantedRows(name, first, count, CONFIG.hiddenSize(), sink)),
        GPU,
        LoadProgress.IGNORED);
    return rows;
  }

  private static FrozenLayers load(DType dtype, Collectives ranks, double ratio) {
    Placement placement = new Placement(GPU, dtype, DType.BF16, ranks, ratio);
    return FrozenLayers.load(CONFIG, placement, new RandomWeights(CONFIG, 3));
  }
}
