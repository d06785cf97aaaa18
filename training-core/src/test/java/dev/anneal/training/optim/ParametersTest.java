package dev.anneal.training.optim;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.TinyModels;
import dev.anneal.training.optim.Parameters.Gathered;
import dev.anneal.training.optim.Parameters.Summed;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ParametersTest {
  private static final List<List<Parameters.Shape>> SHAPES =
      List.of(List.of(new Parameters.Shape("b", 2, 3), new Parameters.Shape("a", 4)));

  @BeforeAll
  static void load() {
    NativeLibraries.load();
  }

  @Test
  void parametersLieEndToEndInTheirOrder() {
    try (TensorScope scope = new TensorScope()) {
      Parameters parameters = TinyModels.parameters(SHAPES, DType.FP32);
      parameters.assign("a", Tensors.of(new double[] {5, 5, 5, 5}));
      assertThat(parameters.layout().names()).containsExactly("b", "a");
      assertThat(parameters.layout().shape("b")).containsExactly(2, 3);
      assertThat(doubles(parameters.master())).containsExactly(0, 0, 0, 0, 0, 0, 5, 5, 5, 5);
    }
  }

  @Test
  void gradientsOfAnyDtypeAddUpInFp32() {
    try (TensorScope scope = new TensorScope()) {
      Parameters parameters = TinyModels.parameters(SHAPES, DType.BF16);
      Tensor ones = Tensors.ones(Device.CPU, ScalarType.BFloat16, 2, 3);
      parameters.accumulate("b", ones);
      parameters.accumulate(
          "b", Tensors.ones(Device.CPU, ScalarType.Float, 2, 3).mul(Tensors.scalar(0.001)));
      assertThat(parameters.ownGradient().scalar_type().intern()).isEqualTo(ScalarType.Float);
      assertThat(doubles(parameters.ownGradient())[0]).isBetween(1.00099, 1.00101);
      assertThat(doubles(parameters.ownGradient())[6]).isZero();
    }
  }

  @Test
  void fp32ComputesWithTheMasterItself() {
    try (TensorScope scope = new TensorScope()) {
      Parameters parameters = TinyModels.parameters(SHAPES, DType.FP32);
      assertThat(parameters.compute("b").data_ptr().address())
          .isEqualTo(parameters.master().data_ptr().address());
    }
  }

  @Test
  void saysBeforehandWhatItHolds() {
    try (TensorScope scope = new TensorScope()) {
      for (DType dtype : List.of(DType.FP32, DType.BF16)) {
        Parameters parameters = TinyModels.parameters(SHAPES, dtype);
        Parameters.Holdings holdings =
            Parameters.holdings(SHAPES, dtype, 1, Gathered.ONCE_A_STEP, Summed.BY_BUCKET);
        long compute = dtype == DType.FP32 ? 0 : parameters.compute().nbytes();
        assertThat(holdings)
            .isEqualTo(
                new Parameters.Holdings(
                    parameters.master().nbytes(),
                    parameters.ownGradient().nbytes(),
                    0,
                    compute,
                    2 * parameters.master().nbytes()));
      }
    }
  }

  @Test
  void severalRanksHoldTheirPartsAndTwoWholeGradients() {
    Parameters.Holdings holdings =
        Parameters.holdings(SHAPES, DType.BF16, 2, Gathered.ONCE_A_STEP, Summed.BY_BUCKET);
    long own = holdings.master() / Float.BYTES;
    assertThat(holdings.gradient()).isEqualTo(own * Float.BYTES);
    // ten elements in two parts of eight each
    assertThat(holdings.summing()).isEqualTo(2 * 16 * Float.BYTES);
    assertThat(holdings.compute()).isEqualTo(3 * own * 2);
    assertThat(holdings.moments()).isEqualTo(2 * own * Float.BYTES);
    Parameters.Holdings byBucket =
        Parameters.holdings(SHAPES, DType.BF16, 2, Gathered.BY_BUCKET, Summed.BY_BUCKET);
    // this rank's part, and two buckets of two parts of eight each
    assertThat(byBucket.compute()).isEqualTo((own + 2 * 16) * 2);
    assertThat(byBucket.total() - byBucket.compute())
        .isEqualTo(holdings.total() - holdings.compute());
  }

  private static double[] doubles(Tensor tensor) {
    return Tensors.doubles(tensor.to(ScalarType.Double));
  }
}
