package dev.anneal.training.fused;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.kernel.CudaKernels;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Operator;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import java.util.Locale;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What fast accumulation of FP8 products costs in {@code dX = dY W} at the widths of Llama 3.1:
 * tensor cores then add up with fewer bits than fp32 has over the whole of K. Prints for every K
 * the relative error (L2) of {@code dX} with it and without, and the time of each.
 */
@Tag("gpu")
@ExtendWith(InTensorScope.class)
class Fp8AccumulationGpuTest {
  private static final Device GPU = Device.gpu(0);

  /** Of 8B: attention and hidden size, MLP; of 405B: MLP, gate and up together. */
  private static final long[] WIDTHS = {4096, 14_336, 53_248, 106_496};

  private static final long TOKENS = 2048;
  private static final long IN = 8192;

  /** What is computed in fp64 beside: rows and columns of the product. */
  private static final long PART = 512;

  private static final int RUNS = 7;

  private enum Gradients {
    /** Sums of K terms of either sign, as in training. */
    NORMAL,
    /** Terms of one sign, whose sum outgrows each of them by K: the worst there is. */
    POSITIVE
  }

  private final Operator scaledMm = new Operator("aten::_scaled_mm");

  @ParameterizedTest
  @EnumSource
  void errorsOfTheInputGradient(Gradients gradients) {
    System.out.printf(
        "dX = dY W, %s tokens, in %s, %s: relative error and ms%n", TOKENS, IN, gradients);
    System.out.printf(
        "%8s %12s %12s %12s %12s %10s %10s%n",
        "K", "fast", "precise", "bf16 round", "FP8 itself", "fast ms", "precise ms");
    try (Kernels kernels = new CudaKernels(GPU)) {
      for (long k : WIDTHS) {
        try (TensorScope scope = new TensorScope()) {
          assertUsable(gradients, k, measure(kernels, k, gradients));
        }
      }
    }
  }

  /**
   * Relative errors of one width.
   *
   * @param rounding of the exact product to bf16, which both results have too
   * @param quantization of the exact product of the FP8 values against that of the bf16 ones
   */
  private record Errors(double fast, double precise, double rounding, double quantization) {}

  private Errors measure(Kernels kernels, long k, Gradients gradients) {
    Tensor dY = Tensors.normal(empty(TOKENS, k), 1e-3, 11);
    Tensor weight = Tensors.normal(empty(k, IN), 0.02, 12);
    if (gradients == Gradients.POSITIVE) {
      dY.abs_();
      weight.abs_();
    }
    // as FusedLayers does: the weight's row scales are folded into dY, its bytes transposed
    Quantized w = kernels.quantize(weight, null);
    Tensor columnScale = w.scale().view(k);
    Quantized left = kernels.quantize(dY, columnScale);
    Tensor into = Tensors.empty(GPU, ScalarType.Byte, k * IN);
    Tensor columns = kernels.transpose(w.bytes(), into).t();
    Tensor ones = Tensors.ones(GPU, ScalarType.Float, 1, IN);

    Tensor exact = part64(left, w, k);
    Tensor fast = product(left, columns, ones, true);
    Tensor precise = product(left, columns, ones, false);
    Tensor unquantized =
        torch.mm(
            dY.narrow(0, 0, PART).to(ScalarType.Double),
            weight.narrow(1, 0, PART).to(ScalarType.Double));
    Errors errors =
        new Errors(
            error(fast, exact),
            error(precise, exact),
            error(exact.to(ScalarType.BFloat16), exact),
            error(exact, unquantized));
    System.out.printf(
        Locale.ROOT,
        "%8d %12.3e %12.3e %12.3e %12.3e %10.3f %10.3f%n",
        k,
        errors.fast(),
        errors.precise(),
        errors.rounding(),
        errors.quantization(),
        millis(left, columns, ones, true),
        millis(left, columns, ones, false));
    return errors;
  }

  /** The exact product of the FP8 values, the first rows and columns of it, in fp64. */
  private static Tensor part64(Quantized left, Quantized w, long k) {
    try (TensorScope scope = new TensorScope()) {
      Tensor rows =
          left.bytes()
              .narrow(0, 0, PART)
              .to(ScalarType.Double)
              .mul(left.scale().view(TOKENS, 1).narrow(0, 0, PART));
      // the scales of w's rows are in dY already
      Tensor matrix = w.bytes().narrow(1, 0, PART).to(ScalarType.Double).view(k, PART);
      return scope.keep(torch.mm(rows, matrix));
    }
  }

  private Tensor product(Quantized left, Tensor columns, Tensor ones, boolean fastAccumulation) {
    return scaledMm
        .call(
            1,
            left.bytes(),
            columns,
            left.scale(),
            ones,
            null,
            null,
            (long) ScalarType.BFloat16.value,
            fastAccumulation)[0];
  }

  private static double error(Tensor found, Tensor expected) {
    try (TensorScope scope = new TensorScope()) {
      Tensor part = found.narrow(0, 0, PART).narrow(1, 0, PART).to(ScalarType.Double);
      return part.sub(expected).norm().item_double() / expected.norm().item_double();
    }
  }

  private double millis(Quantized left, Tensor columns, Tensor ones, boolean fastAccumulation) {
    double[] millis = new double[RUNS];
    for (int i = -2; i < RUNS; i++) {
      try (TensorScope scope = new TensorScope();
          CudaEvent start = new CudaEvent(GPU, CudaEvent.Timing.ON);
          CudaEvent end = new CudaEvent(GPU, CudaEvent.Timing.ON)) {
        start.record();
        product(left, columns, ones, fastAccumulation);
        end.record();
        end.synchronize();
        if (i >= 0) {
          millis[i] = end.millisSince(start);
        }
      }
    }
    Arrays.sort(millis);
    return millis[RUNS / 2];
  }

  /**
   * Sums of one sign are looked at and promised nothing: fast accumulation is 21% off at 14,336.
   */
  private static void assertUsable(Gradients gradients, long k, Errors errors) {
    assertThat(errors.precise())
        .as("error with accumulation in fp32 at K = %s, which is little more than rounding", k)
        .isLessThan(5 * errors.rounding());
    if (gradients == Gradients.NORMAL) {
      assertThat(errors.fast())
          .as("error with fast accumulation at K = %s, beside that of FP8 itself", k)
          .isLessThan(errors.quantization() / 2);
    }
  }

  private static Tensor empty(long... shape) {
    return Tensors.empty(GPU, ScalarType.BFloat16, shape);
  }
}
