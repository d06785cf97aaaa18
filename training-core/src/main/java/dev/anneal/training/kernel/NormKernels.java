package dev.anneal.training.kernel;

import static dev.anneal.training.kernel.Operand.address;
import static dev.anneal.training.kernel.Operand.flag;

import dev.anneal.training.kernel.Kernels.Normed;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** RMSNorm forward and backward, for bf16 and fp32. */
final class NormKernels {
  private final KernelContext gpu;

  NormKernels(KernelContext gpu) {
    this.gpu = gpu;
  }

  Normed rmsNorm(Tensor x, Tensor delta, Tensor weight, double eps, Matmul matmul) {
    String real = Operand.real(x);
    ScalarType type = x.scalar_type();
    long rows = x.size(0);
    long width = x.size(1);
    Tensor output = x.new_empty(rows, width);
    Tensor rstd = gpu.emptyFp32(rows);
    Quantized quantized = matmul == Matmul.FP8 ? gpu.emptyFp8(rows, width) : null;
    long xAt = address(x, type, "x");
    long deltaAt = address(delta, type, "delta");
    long weightAt = address(weight, type, "weight");
    RowPlan plan = gpu.plan(KernelSource.RMS_NORM, real, width, xAt | deltaAt | weightAt);
    KernelVariant variant =
        KernelVariant.of(
            KernelSource.RMS_NORM,
            real,
            plan.vector(),
            plan.width(),
            plan.threads(),
            plan.blocks(),
            flag(delta != null),
            flag(quantized != null));
    KernelArguments arguments =
        gpu.arguments()
            .add(xAt)
            .add(deltaAt)
            .add(weightAt)
            .add(address(output))
            .add(address(rstd))
            .add(quantized)
            .add(eps);
    gpu.launch(variant, rows, plan.threads(), arguments);
    return new Normed(new Rows(output, quantized), rstd);
  }

  Rows rmsNormBackward(
      Tensor dOutput,
      Tensor x,
      Tensor rstd,
      Tensor weight,
      Tensor dResidual,
      Tensor columnScale) {
    String real = Operand.real(x);
    ScalarType type = x.scalar_type();
    long dOutputAt = address(dOutput, type, "dOutput");
    long xAt = address(x, type, "x");
    long weightAt = address(weight, type, "weight");
    long dResidualAt = address(dResidual, type, "dResidual");
    long columnsAt = address(columnScale, ScalarType.Float, "columnScale");
    Quantized quantized = columnScale == null ? null : gpu.emptyFp8(x.size(0), x.size(1));
    RowPlan plan =
        gpu.plan(
            KernelSource.RMS_NORM_BACKWARD,
            real,
            x.size(1),
            dOutputAt | xAt | weightAt | dResidualAt | columnsAt);
    KernelVariant variant =
        KernelVariant.of(
            KernelSource.RMS_NORM_BACKWARD,
            real,
            plan.vector(),
            plan.width(),
            plan.threads(),
            plan.blocks(),
            flag(columnScale != null));
    KernelArguments arguments =
        gpu.arguments()
            .add(dOutputAt)
            .add(xAt)
            .add(address(rstd, ScalarType.Float, "rstd"))
            .add(weightAt)
            .add(dResidualAt)
            .add(columnsAt)
            .add(quantized);
    gpu.launch(variant, x.size(0), plan.threads(), arguments);
    return new Rows(dOutput, quantized);
  }
}
