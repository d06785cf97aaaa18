package dev.anneal.training.weights;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import java.util.SplittableRandom;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@ExtendWith(InTensorScope.class)
class Fp8Test {

  @ParameterizedTest
  @CsvSource({"1, 1, 1", "5, 123, 0.02", "64, 64, 30000", "3, 7, 1e-30"})
  void isThePlainFormula(int rows, int columns, double deviation) {
    SplittableRandom random = new SplittableRandom(rows);
    double[] values = new double[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian(0, deviation);
    }
    Tensor weight = Tensors.of(values).to(ScalarType.Float).view(rows, columns);
    Quantized quantized = Fp8.quantize(weight);
    double[] scales = doubles(quantized.scale());
    double[] bytes = doubles(quantized.bytes());
    for (int row = 0; row < rows; row++) {
      float largest = 0;
      for (int column = 0; column < columns; column++) {
        largest = Math.max(largest, (float) Math.abs(values[row * columns + column]));
      }
      float scale = largest / 448;
      assertThat(scales[row]).isEqualTo(scale);
      for (int column = 0; column < columns; column++) {
        int i = row * columns + column;
        assertThat(bytes[i]).isEqualTo(e4m3((float) values[i] / scale));
      }
    }
    double[] restored = doubles(Fp8.dequantize(quantized.bytes(), quantized.scale().view(rows)));
    for (int i = 0; i < values.length; i++) {
      assertThat(restored[i]).isEqualTo((float) bytes[i] * (float) scales[i / columns]);
    }
  }

  @Test
  void rowsOfZerosStayZeros() {
    Tensor weight = Tensors.zeros(ScalarType.BFloat16, 3, 8);
    weight.select(0, 1).fill_(Tensors.scalar(0.5));
    weight.select(0, 2).fill_(Tensors.scalar(1e-40));
    Quantized quantized = Fp8.quantize(weight);
    assertThat(doubles(quantized.scale().view(3)))
        .containsExactly(1, 0.5f / 448, doubles(quantized.scale())[2]);
    Tensor restored = Fp8.dequantize(quantized.bytes(), quantized.scale().view(3));
    assertThat(doubles(restored.select(0, 0))).containsOnly(0);
    assertThat(doubles(restored.select(0, 1))).containsOnly(0.5f / 448 * 448);
    assertThat(restored.isfinite().all().item_bool()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({"1", "123", "124", "300", "100000"})
  void piecesAreTheWhole(long pieceElements) {
    Tensor weight = Tensors.normal(Tensors.empty(ScalarType.Float, 7, 123), 0.5, 3);
    Quantized quantized = Fp8.quantize(weight);
    Tensor scale = quantized.scale().view(7);
    Tensor whole = Fp8.dequantize(quantized.bytes(), scale);
    for (ScalarType type : List.of(ScalarType.Float, ScalarType.BFloat16)) {
      Tensor found = Fp8.dequantize(quantized.bytes(), scale, type, pieceElements);
      assertThat(found.scalar_type().intern()).isEqualTo(type);
      assertThat(found.equal(whole.to(type))).as(type.name()).isTrue();
    }
  }

  /** To the nearest, ties to even; below {@code 2^-6} the steps are those of {@code 2^-6}. */
  private static double e4m3(float value) {
    int exponent = Math.max(Math.getExponent(value), -6);
    return Math.scalb(Math.rint(Math.scalb((double) value, 3 - exponent)), exponent - 3);
  }

  private static double[] doubles(Tensor tensor) {
    return Tensors.doubles(tensor.to(ScalarType.Double).contiguous());
  }
}
