package dev.anneal.training.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import java.util.HashSet;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(InTensorScope.class)
class DropoutTest {
  private static final double P = 0.2;
  private Tensor x;

  @BeforeEach
  void open() {
    x = Tensors.ones(Device.CPU, ScalarType.Float, 400, 500);
  }

  @Test
  void dropsTheShareAskedForAndKeepsTheExpectedValue() {
    Tensor y = mask(1, 0, LinearModule.Q_PROJ);
    double kept = y.ne(Tensors.scalar(0)).to(ScalarType.Float).mean().item_double();
    assertThat(kept).isBetween(0.795, 0.805);
    assertThat(y.mean().item_double()).isBetween(0.99, 1.01);
    assertThat(y.max().item_double()).isBetween(1.2499, 1.2501);
  }

  @Test
  void recomputingDropsTheSameElements() {
    assertThat(mask(1, 2, LinearModule.UP_PROJ).equal(mask(1, 2, LinearModule.UP_PROJ))).isTrue();
  }

  @Test
  void everyMicroBatchLayerAndModuleHasAMaskOfItsOwn() {
    Tensor mask = mask(1, 2, LinearModule.UP_PROJ);
    assertThat(mask.equal(mask(3, 2, LinearModule.UP_PROJ))).isFalse();
    assertThat(mask.equal(mask(1, 1, LinearModule.UP_PROJ))).isFalse();
    assertThat(mask.equal(mask(1, 2, LinearModule.GATE_PROJ))).isFalse();
  }

  @Test
  void noTwoModulesOfTheLargestModelShareAStream() {
    Set<Integer> streams = new HashSet<>();
    for (int layer = 0; layer < 126; layer++) {
      for (LinearModule module : LinearModule.values()) {
        streams.add(module.loraAName(layer).hashCode());
        streams.add(module.weightName(layer).hashCode());
      }
    }
    assertThat(streams).hasSize(126 * 7 * 2);
  }

  @Test
  void noneReturnsItsInput() {
    assertThat(Dropout.NONE.apply(x, 0, LinearModule.Q_PROJ)).isSameAs(x);
  }

  private Tensor mask(long seed, int layer, LinearModule module) {
    return new Dropout(P, seed).apply(x, layer, module);
  }
}
