package dev.anneal.training.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(InTensorScope.class)
class PissaTest {
  private static final double SCALE = 2;
  private static final int RANK = 3;
  private static final double FALL = 0.5;

  private static Tensor random(long seed, long... shape) {
    return Tensors.normal(Tensors.empty(ScalarType.Float, shape), 1, seed);
  }

  /** A matrix with the singular values 1, 0.5, 0.25 ... */
  private static Tensor falling(int rows, int columns) {
    int n = Math.min(rows, columns);
    double[] values = new double[n];
    for (int i = 0; i < n; i++) {
      values[i] = Math.pow(FALL, i);
    }
    Tensor u = torch.linalg_qr(random(1, rows, n)).get0();
    Tensor v = torch.linalg_qr(random(2, columns, n)).get0();
    return u.mul(Tensors.of(values).to(ScalarType.Float)).matmul(v.t());
  }

  private static Tensor product(Pissa.Factors factors) {
    return factors.b().matmul(factors.a()).mul(Tensors.scalar(SCALE));
  }

  /** What is left has the singular values that are not the largest. */
  @ParameterizedTest
  @CsvSource({"9, 14, 0", "14, 9, 0", "9, 14, 8", "14, 9, 8"})
  void takesTheLargestSingularValues(int rows, int columns, int iterations) {
    Tensor weight = falling(rows, columns);
    Pissa.Factors factors = Pissa.of(weight, RANK, SCALE, iterations, 7);
    assertThat(Tensors.shape(factors.a())).containsExactly(RANK, columns);
    assertThat(Tensors.shape(factors.b())).containsExactly(rows, RANK);
    Tensor left = Pissa.residual(weight, factors.a(), factors.b(), SCALE);
    double[] values = Tensors.doubles(torch.linalg_svdvals(left).to(ScalarType.Double));
    assertThat(values[0]).isCloseTo(Math.pow(FALL, RANK), within(1e-5));
    assertThat(left.add(product(factors)).sub(weight).norm().item_double()).isLessThan(1e-5);
    // both factors have the same share of every value
    assertThat(factors.a().norm().item_double())
        .isCloseTo(factors.b().norm().item_double(), within(1e-5));
  }

  @Test
  void aSearchIsTheSameForTheSameSeed() {
    Tensor weight = random(3, 20, 30);
    Tensor first = product(Pissa.of(weight, RANK, SCALE, 1, 7));
    assertThat(product(Pissa.of(weight, RANK, SCALE, 1, 7)).equal(first)).isTrue();
    assertThat(product(Pissa.of(weight, RANK, SCALE, 1, 8)).equal(first)).isFalse();
  }

  /** In bf16 too, although both products are large beside their difference. */
  @Test
  void whatIsPublishedIsTheDifference() {
    String nameOfA = "x.lora_A.weight";
    String nameOfB = "x.lora_B.weight";
    Tensor a = random(4, RANK, 30);
    Tensor b = random(5, 20, RANK);
    FirstFactors first = new FirstFactors(new HashMap<>(Map.of(nameOfA, a, nameOfB, b)));
    Tensor trainedA = a.add(random(6, RANK, 30).mul(Tensors.scalar(1e-3)));
    Tensor trainedB = b.add(random(7, 20, RANK).mul(Tensors.scalar(1e-3)));
    Tensor expected =
        trainedB
            .to(ScalarType.Double)
            .matmul(trainedA.to(ScalarType.Double))
            .sub(b.to(ScalarType.Double).matmul(a.to(ScalarType.Double)));
    for (ScalarType type : new ScalarType[] {ScalarType.Float, ScalarType.BFloat16}) {
      Tensor low = first.of(nameOfA, trainedA).to(type).to(ScalarType.Double);
      Tensor high = first.of(nameOfB, trainedB).to(type).to(ScalarType.Double);
      assertThat(Tensors.shape(low)).isEqualTo(first.shape(nameOfA, RANK, 30));
      assertThat(Tensors.shape(high)).isEqualTo(first.shape(nameOfB, 20, RANK));
      double error = high.matmul(low).sub(expected).norm().item_double();
      assertThat(error / expected.norm().item_double()).isLessThan(bound(type));
    }
  }

  private static double bound(ScalarType type) {
    return type.equals(ScalarType.Float) ? 1e-4 : 1e-2;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "default", "pissa_niter_", "pissa_niter_0", "pissa_niter_1001", "olora"})
  void otherNamesAreNone(String name) {
    assertThat(LoraVariant.Pissa.iterations(name)).isEmpty();
  }

  @Test
  void namesArePefts() {
    assertThat(LoraVariant.Pissa.iterations("pissa")).hasValue(0);
    assertThat(LoraVariant.Pissa.iterations("pissa_niter_16")).hasValue(16);
  }
}
