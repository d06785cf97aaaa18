package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.LoudWeights;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.LlamaLayer;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.weights.reader.WeightReader;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Wherever the layers lie, they are the same. */
@ExtendWith(InTensorScope.class)
class FrozenLayersTest {
  static final int LAYERS = 5;

  /** 50, 24, 80 and 24 rows: none of three ranks and none of seven divides all of them. */
  static final LlamaConfig CONFIG =
      new LlamaConfig(37, 24, 40, LAYERS, 3, 1, 10, 1e-5, null, 10_000, 64, true, null, List.of());

  static final WeightReader WEIGHTS = new LoudWeights(4);

  /** A visit of a layer, and the one that is announced to follow. */
  record Visit(int layer, int next) {}

  static Stream<Arguments> storages() {
    List<Arguments> storages = new ArrayList<>();
    for (DType dtype : DType.values()) {
      for (int ranks : new int[] {1, 2, 3, 7}) {
        for (double ratio : new double[] {0, 0.3, 0.5, 1}) {
          storages.add(Arguments.of(dtype, ranks, ratio));
        }
      }
    }
    return storages.stream();
  }

  @ParameterizedTest
  @MethodSource("storages")
  void everyLayerIsWhatAResidentOneIs(DType dtype, int ranks, double ratio) {
    FrozenLayers resident = load(placement(dtype, new SingleRank(), 0));
    List<Visit> visits = visits();
    ThreadRanks.run(
        ranks,
        rank -> {
          try (FrozenLayers frozen = load(placement(dtype, rank, ratio))) {
            for (Visit visit : visits) {
              try (TensorScope scope = new TensorScope()) {
                FrozenLayer layer = frozen.use(visit.layer(), visit.next());
                assertSame(layer, resident.use(visit.layer(), FrozenLayers.NONE));
              }
            }
          }
          return null;
        });
  }

  /** Two steps, then layers in no order and announcements that do not come true. */
  static List<Visit> visits() {
    List<Visit> visits = new ArrayList<>();
    for (int step = 0; step < 2; step++) {
      for (int layer = 0; layer < LAYERS; layer++) {
        visits.add(new Visit(layer, Math.min(layer + 1, LAYERS - 1)));
      }
      for (int layer = LAYERS - 1; layer >= 0; layer--) {
        visits.add(new Visit(layer, layer == 0 ? FrozenLayers.NONE : layer - 1));
      }
    }
    visits.add(new Visit(3, 1));
    visits.add(new Visit(1, 1));
    visits.add(new Visit(0, 4));
    visits.add(new Visit(2, FrozenLayers.NONE));
    visits.add(new Visit(0, 2));
    visits.add(new Visit(4, 3));
    visits.add(new Visit(4, 0));
    visits.add(new Visit(4, FrozenLayers.NONE));
    visits.add(new Visit(3, 4));
    return visits;
  }

  static void assertSame(FrozenLayer found, FrozenLayer expected) {
    for (ModuleGroup group : ModuleGroup.values()) {
      FrozenMatrix matrix = found.matrices().get(group);
      FrozenMatrix same = expected.matrices().get(group);
      assertThat(matrix.weight().is_contiguous()).isTrue();
      assertThat(bytes(matrix.weight()).equal(bytes(same.weight()))).as(group.name()).isTrue();
      assertThat(matrix.scale() == null).isEqualTo(same.scale() == null);
      if (same.scale() != null) {
        assertThat(matrix.scale().equal(same.scale())).as(group.name()).isTrue();
      }
    }
    assertThat(found.inputLayernorm().equal(expected.inputLayernorm())).isTrue();
    assertThat(found.postAttentionLayernorm().equal(expected.postAttentionLayernorm())).isTrue();
  }

  /** libtorch compares no FP8. */
  private static Tensor bytes(Tensor weight) {
    return weight.contiguous().view(ScalarType.Byte);
  }

  @ParameterizedTest
  @MethodSource("storages")
  void aLayerOutlivesTheNextOnes(DType dtype, int ranks, double ratio) {
    ThreadRanks.run(
        ranks,
        rank -> {
          FrozenLayers frozen = load(placement(dtype, rank, ratio));
          List<LlamaLayer.Weights> layers = new ArrayList<>();
          for (int layer = 0; layer < LAYERS; layer++) {
            layers.add(frozen.layer(layer));
          }
          for (int layer = 0; layer < LAYERS; layer++) {
            for (LinearModule module : LinearModule.values()) {
              Tensor found = layers.get(layer).linears().get(module);
              assertThat(found.equal(expected(layer, module, dtype))).isTrue();
            }
          }
          return null;
        });
  }

  /** A module's weight as it was read, rounded to {@code dtype} and back to fp32. */
  private static Tensor expected(int layer, LinearModule module, DType dtype) {
    Tensor weight =
        WEIGHTS.read(
            module.weightName(layer),
            DType.FP32,
            module.outFeatures(CONFIG),
            module.inFeatures(CONFIG));
    if (dtype == DType.FP8) {
      var quantized = Fp8.quantize(weight);
      return Fp8.dequantize(quantized.bytes(), quantized.scale().view(weight.size(0)));
    }
    return weight.to(dtype.scalarType()).to(ScalarType.Float);
  }

  @Test
  void fetchesOnlyWhatIsNotThere() {
    int[] gathers = new int[3];
    ThreadRanks.run(
        2,
        rank -> {
          FrozenLayers frozen = load(placement(DType.BF16, rank, 0));
          int before = rank.gathers();
          for (int step = 0; step < 3; step++) {
            for (int layer = 0; layer < LAYERS; layer++) {
              frozen.use(layer, layer + 1 < LAYERS ? layer + 1 : FrozenLayers.NONE);
            }
            for (int layer = LAYERS - 1; layer >= 0; layer--) {
              frozen.use(layer, layer > 0 ? layer - 1 : 1);
            }
            gathers[step] = (rank.gathers() - before) / ModuleGroup.values().length;
            before = rank.gathers();
          }
          return null;
        });
    // two layers are still there at each turn
    assertThat(gathers).containsExactly(2 * LAYERS - 2, 2 * LAYERS - 4, 2 * LAYERS - 4);
  }

  @Test
  void residentLayersAreNotCopied() {
    FrozenLayers frozen = load(placement(DType.FP8, new SingleRank(), 0));
    Tensor first = frozen.use(1, 2).matrices().get(ModuleGroup.DOWN).weight();
    frozen.use(2, 3);
    frozen.use(3, 4);
    assertThat(frozen.use(1, 2).matrices().get(ModuleGroup.DOWN).weight()).isSameAs(first);
    assertThat(frozen.holdings().bufferBytes()).isZero();
  }

  @Test
  void saysBeforehandWhatItHolds() {
    Placement placement = placement(DType.BF16, new SingleRank(), 0.5);
    FrozenLayers.Holdings planned = FrozenLayers.holdings(CONFIG, placement);
    FrozenLayers.Holdings held = load(placement).holdings();
    assertThat(planned).isEqualTo(held);
    long layer = (50 * 24 + 24 * 30 + 80 * 24 + 24 * 40) * 2L;
    assertThat(planned.pinnedBytes()).isEqualTo(LAYERS * layer / 2);
    assertThat(planned.deviceBytes()).isBetween(LAYERS * layer / 2, LAYERS * (layer / 2 + 1024));
  }

  @Test
  void saysBeforehandWhatScalesTake() {
    Placement placement = placement(DType.FP8, new SingleRank(), 0);
    FrozenLayers.Holdings planned = FrozenLayers.holdings(CONFIG, placement);
    assertThat(planned).isEqualTo(load(placement).holdings());
    assertThat(planned.sharedBytes()).isGreaterThan(LAYERS * (50 + 24 + 80 + 24) * 4L);
  }

  @Test
  void edgesAreAsExactAsTheComputeDtypeAndTheOthersInFp8() {
    Placement all = placement(DType.FP8, new SingleRank(), 0);
    Placement edged = all.withExactEdges(1);
    FrozenLayers frozen = load(edged);
    FrozenLayers exact = load(placement(DType.FP32, new SingleRank(), 0));
    FrozenLayers rounded = load(all);
    for (int layer = 0; layer < LAYERS; layer++) {
      boolean isEdge = layer == 0 || layer == LAYERS - 1;
      assertSame(
          frozen.use(layer, FrozenLayers.NONE),
          (isEdge ? exact : rounded).use(layer, FrozenLayers.NONE));
    }
    assertThat(FrozenLayers.holdings(CONFIG, edged)).isEqualTo(frozen.holdings());
    assertThatThrownBy(() -> placement(DType.FP8, new SingleRank(), 0.5).withExactEdges(1))
        .hasMessageContaining("whole");
    assertThatThrownBy(() -> load(all.withExactEdges(3))).hasMessageContaining("leave none of 5");
  }

  /** Its joined matrices in the compute dtype and a view for each module, and nothing dead. */
  @ParameterizedTest
  @EnumSource
  void aLayerInTheComputeDtypeHoldsNothingElse(DType stored) {
    FrozenLayers frozen =
        load(new Placement(Device.CPU, stored, DType.BF16, new SingleRank(), 0.5));
    try (TensorScope scope = new TensorScope()) {
      frozen.layer(0);
      long before = Pointer.totalCount();
      frozen.layer(1);
      assertThat(Pointer.totalCount() - before)
          .as("native objects of a layer kept in %s", stored)
          .isLessThanOrEqualTo(ModuleGroup.values().length + LinearModule.values().length);
    }
  }

  private static Placement placement(DType stored, Collectives ranks, double ratio) {
    return new Placement(Device.CPU, stored, DType.FP32, ranks, ratio);
  }

  private static FrozenLayers load(Placement placement) {
    return FrozenLayers.load(CONFIG, placement, WEIGHTS);
  }
}
