package dev.anneal.training.cuda;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Device;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(InTensorScope.class)
class PinnedMemoryTest {

  @Test
  void saysHowMuchTheHostHasNot() {
    assertThatThrownBy(() -> PinnedMemory.empty(Device.CPU, ScalarType.Float, 1L << 50))
        .isInstanceOf(PinnedMemoryException.class)
        .hasMessageStartingWith("the host has no 4503599.63 GB of memory left (");
  }
}
