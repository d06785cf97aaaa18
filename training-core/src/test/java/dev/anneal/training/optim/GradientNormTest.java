package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;

class GradientNormTest {
  /** Of the adapter with r=16 on all layers of Llama 3.1 8B. */
  private static final long ADAPTER = 41_943_040;

  @Test
  void isExactAtTheSizeOfRealAdapters() {
    double value = 1.1e-3f;
    try (TensorScope scope = new TensorScope()) {
      Tensor gradient =
          Tensors.zeros(Device.CPU, ScalarType.Float, ADAPTER).fill_(Tensors.scalar(value));
      assertThat(Tensors.doubles(GradientNorm.squares(gradient))[0])
          .isCloseTo(ADAPTER * value * value, withPercentage(1e-9));
    }
  }

  @Test
  void coversTheLastPartOfAChunk() {
    long size = (1L << 22) + 3;
    try (TensorScope scope = new TensorScope()) {
      Tensor gradient = Tensors.zeros(Device.CPU, ScalarType.Float, size);
      gradient.narrow(0, size - 3, 3).fill_(Tensors.scalar(2));
      assertThat(Tensors.doubles(GradientNorm.squares(gradient))).containsExactly(12);
    }
  }
}
