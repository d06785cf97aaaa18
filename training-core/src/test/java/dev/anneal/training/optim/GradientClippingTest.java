package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GradientClippingTest {

  @ParameterizedTest
  @CsvSource({
    "1, 0.6, 0.8",
    "10, 6, 8", // just at the limit, but for clip_grad_norm_'s 1e-6
    "100, 6, 8",
    "0, 6, 8",
    "-1, 6, 8"
  })
  void scalesDownToTheLargestNorm(double maxNorm, double first, double second) {
    double factor = GradientClipping.factor(10, maxNorm);
    assertThat(6 * factor).isEqualTo(first, within(2e-6));
    assertThat(8 * factor).isEqualTo(second, within(2e-6));
  }
}
