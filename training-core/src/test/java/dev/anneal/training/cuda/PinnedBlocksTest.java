package dev.anneal.training.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@ExtendWith(InTensorScope.class)
class PinnedBlocksTest {

  /** The second tensor begins in the middle of a number and ends two blocks later. */
  @Test
  void tensorsComeBackFromWhereverBlocksEnd() {
    Tensor first = Tensors.of(new long[] {1, 2, 3}).to(ScalarType.Byte);
    Tensor second = Tensors.of(new double[] {-1.5, 0.25, 7, 1e300}).view(2, 2);
    try (PinnedBlocks blocks = PinnedBlocks.of(Device.CPU, 35, 16)) {
      blocks.write(0, first);
      blocks.write(3, second);
      Tensor firstBack = Tensors.zeros(Device.CPU, ScalarType.Byte, 3);
      Tensor secondBack = Tensors.zeros(Device.CPU, ScalarType.Double, 2, 2);
      blocks.read(3, secondBack);
      blocks.read(0, firstBack);
      assertThat(firstBack.equal(first)).isTrue();
      assertThat(secondBack.equal(second)).isTrue();
    }
  }

  @Test
  void whatIsNotContiguousIsRefused() {
    Tensor turned = Tensors.of(new double[] {1, 2, 3, 4}).view(2, 2).t();
    try (PinnedBlocks blocks = PinnedBlocks.of(Device.CPU, 32)) {
      assertThatThrownBy(() -> blocks.write(0, turned)).hasMessageContaining("view");
    }
  }

  /** What 70B's layers keep of 8,192 tokens, 1.51 GB, takes two per cent more. */
  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "1, 1",
    "3, 4",
    "67108864, 67108864",
    "67108865, 134217728",
    "1513000000, 1543503872"
  })
  void littleIsRoundedUp(long bytes, long allocated) {
    assertThat(PinnedBlocks.allocatedBytes(bytes)).isEqualTo(allocated);
  }
}
