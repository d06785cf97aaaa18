package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GradientClippingTest {

  @BeforeAll
  static void load() {
    NativeLibraries.load();
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
    try (TensorScope scope = new TensorScope()) {
      Tensor gradient = Tensors.of(new double[] {6, 8}).to(ScalarType.Float);
      assertThat(GradientClipping.clip(gradient, maxNorm)).isEqualTo(10, within(1e-6));
      double[] clipped = Tensors.doubles(gradient.to(ScalarType.Double));
      assertThat(clipped).containsExactly(new double[] {first, second}, within(2e-6));
    }
  }
}
