package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.LayerLayout.Part;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What of a rank's rows waits on the host. */
@ExtendWith(InTensorScope.class)
class LayerShardsTest {
  private static final int LAYERS = 3;
  private static final PeerArena CPU = PeerArena.ordinary(Device.CPU, null, "");

  /** The last of three ranks, which no matrix' rows can be dealt out to evenly. */
  private static final LayerLayout LAYOUT =
      LayerLayout.of(FrozenLayersTest.CONFIG, DType.BF16, 3, 2, 0.5);

  @Test
  void takesExactlyTheBytesOfItsRows() {
    List<Long> told = new ArrayList<>();
    try (LayerShards shards = new LayerShards(LAYOUT, DType.BF16, LAYERS, CPU, told::add)) {
      long bytes = LAYERS * LAYOUT.parts().stream().mapToLong(Part::hostBytes).sum();
      assertThat(shards.hostBytes()).isEqualTo(bytes).isPositive();
      assertThat(told).isSorted().endsWith(bytes);
      for (Part part : LAYOUT.parts()) {
        assertThat(shards.onHost(1, part).stream().mapToLong(Tensor::nbytes).sum())
            .isEqualTo(part.hostBytes());
      }
    }
  }

  @Test
  void rowsGoToTheirLayerAndWhatIsPastTheEndOfAMatrixStaysZero() {
    assertThat(LAYOUT.padded()).isTrue();
    try (LayerShards shards = new LayerShards(LAYOUT, DType.BF16, LAYERS, CPU, d -> {})) {
      for (int layer = 0; layer < LAYERS; layer++) {
        for (Part part : LAYOUT.parts()) {
          long rows = part.rows() - 2 * part.shardRows();
          Tensor values = Tensors.empty(ScalarType.Float, rows, part.columns());
          values.fill_(Tensors.scalar(value(layer, part)));
          shards.write(layer, part, 0, values);
        }
      }
      for (int layer = 0; layer < LAYERS; layer++) {
        for (Part part : LAYOUT.parts()) {
          long rows = part.rows() - 2 * part.shardRows();
          long hostRows = rows - (part.shardRows() - part.hostRows());
          Tensor host =
              shards
                  .onHost(layer, part)
                  .get(0)
                  .view(ScalarType.BFloat16)
                  .view(part.hostRows(), part.columns());
          assertThat(host.narrow(0, 0, hostRows).min().item_double()).isEqualTo(value(layer, part));
          assertThat(host.narrow(0, 0, hostRows).max().item_double()).isEqualTo(value(layer, part));
          if (hostRows < part.hostRows()) {
            Tensor padding = host.narrow(0, hostRows, part.hostRows() - hostRows);
            assertThat(padding.abs().max().item_double()).isZero();
          }
        }
      }
    }
  }

  private static double value(int layer, Part part) {
    return 1 + layer * 4 + List.of(ModuleGroup.values()).indexOf(part.group());
  }

  @Test
  void nothingIsOnTheHostWhereNothingIsOffloaded() {
    LayerLayout resident = LayerLayout.of(FrozenLayersTest.CONFIG, DType.BF16, 3, 2, 0);
    try (LayerShards shards = new LayerShards(resident, DType.BF16, LAYERS, CPU, d -> {})) {
      assertThat(shards.hostBytes()).isZero();
      assertThat(shards.onHost(0, resident.parts().get(0))).isEmpty();
    }
  }
}
