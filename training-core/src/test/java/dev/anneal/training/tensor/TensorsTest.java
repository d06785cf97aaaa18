package dev.anneal.training.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TensorsTest {
  @BeforeAll
  static void loadLibtorch() {
    NativeLibraries.load();
  }

  @ParameterizedTest
  @EnumSource(
      value = ScalarType.class,
      names = {"Float", "BFloat16", "Half"})
  void oneValueThatIsNotFiniteIsFoundAnywhere(ScalarType type) {
    try (TensorScope scope = new TensorScope()) {
      assertThat(Tensors.areFinite(Tensors.empty(type, 0))).isTrue();
      for (double value : new double[] {0, -65504, 65504}) {
        assertThat(Tensors.areFinite(with(type, value, 500))).as("%s", value).isTrue();
      }
      for (double value :
          new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
        for (int place : new int[] {0, 500, 1000}) {
          assertThat(Tensors.areFinite(with(type, value, place)))
              .as("%s at %s", value, place)
              .isFalse();
        }
      }
    }
  }

  private static Tensor with(ScalarType type, double value, int place) {
    Tensor tensor = Tensors.empty(type, 1001);
    tensor.fill_(Tensors.scalar(-1));
    tensor.select(0, place).fill_(Tensors.scalar(value));
    return tensor;
  }
}
