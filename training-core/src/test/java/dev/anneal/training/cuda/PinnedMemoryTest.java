package dev.anneal.training.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Device;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(InTensorScope.class)
class PinnedMemoryTest {

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 65_536, 65_537, 1_000_000, 3_145_728, 67_108_863, 123_456_789})
  void piecesArePowersOfTwoAndWasteLittle(long bytes) {
    List<Tensor> pieces = PinnedMemory.pieces(Device.CPU, bytes);
    assertThat(pieces).allMatch(piece -> Long.bitCount(piece.nbytes()) == 1);
    assertThat(pieces).hasSizeLessThanOrEqualTo(7);
    assertThat(pieces.stream().mapToLong(Tensor::nbytes).sum())
        .isBetween(bytes, bytes + Math.max(65_535, bytes / 32));
  }

  @Test
  void saysHowMuchTheHostHasNot() {
    assertThatThrownBy(() -> PinnedMemory.empty(Device.CPU, ScalarType.Float, 1L << 50))
        .isInstanceOf(PinnedMemoryException.class)
        .hasMessageStartingWith("the host has no 4503599.63 GB of memory left (");
  }
}
