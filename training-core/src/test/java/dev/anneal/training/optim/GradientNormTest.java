package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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

  @ParameterizedTest
  @CsvSource({
    "1, 0.6, 0.8",
    "10, 6, 8", // just at the limit, but for clip_grad_norm_'s 1e-6
    "100, 6, 8",
    "0, 6, 8",
    "-1, 6, 8"
  })
  void scalesDownToTheLargestNorm(double maxNorm, double first, double second) {
    double factor = GradientNorm.clipFactor(10, maxNorm);
    assertThat(6 * factor).isEqualTo(first, within(2e-6));
    assertThat(8 * factor).isEqualTo(second, within(2e-6));
  }
}
