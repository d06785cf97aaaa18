package dev.anneal.training.kernel;

import static dev.anneal.training.kernel.Operand.address;
import static dev.anneal.training.kernel.Operand.flag;

import dev.anneal.training.kernel.Kernels.SwigluGradient;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** SwiGLU forward and backward, for bf16 and fp32. */
final class SwigluKernels {
  /** Vectors of an operand that a thread of the backward has registers for. */
  private static final int MOST_KEPT = 4;

  private final KernelContext gpu;

  SwigluKernels(KernelContext gpu) {
    this.gpu = gpu;
  }

  Rows swiglu(Tensor gateUp, Matmul matmul) {
    String real = Operand.real(gateUp);
    long rows = gateUp.size(0);
    long width = gateUp.size(1) / 2;
    Tensor output = gateUp.new_empty(rows, width);
    Quantized quantized = matmul == Matmul.FP8 ? gpu.emptyFp8(rows, width) : null;
    long gateUpAt = address(gateUp, gateUp.scalar_type(), "gateUp");
    RowPlan plan = gpu.plan(KernelSource.SWIGLU, real, width, gateUpAt);
    KernelVariant variant =
        KernelVariant.of(
            KernelSource.SWIGLU,
            real,
            plan.vector(),
            plan.width(),
            plan.threads(),
            plan.blocks(),
            flag(quantized != null));
    KernelArguments arguments = gpu.arguments().add(gateUpAt).add(address(output)).add(quantized);
    gpu.launch(variant, rows, plan.threads(), arguments);
    return new Rows(output, quantized);
  }

  SwigluGradient swigluBackward(Tensor dOutput, Tensor gateUp, Tensor columnScale) {
    String real = Operand.real(gateUp);
    ScalarType type = gateUp.scalar_type();
    long rows = gateUp.size(0);
    long width = gateUp.size(1) / 2;
    Quantized quantized = columnScale == null ? null : gpu.emptyFp8(rows, 2 * width);
    long dOutputAt = address(dOutput, type, "dOutput");
    long gateUpAt = address(gateUp, type, "gateUp");
    long columnsAt = address(columnScale, ScalarType.Float, "columnScale");
    RowPlan plan =
        gpu.plan(KernelSource.SWIGLU_BACKWARD, real, width, dOutputAt | gateUpAt | columnsAt);
    KernelVariant variant =
        KernelVariant.of(
            KernelSource.SWIGLU_BACKWARD,
            real,
            plan.vector(),
            plan.width(),
            plan.threads(),
            plan.blocks(),
            flag(plan.stepsOf(plan.width() / plan.vector()) <= MOST_KEPT),
            flag(columnScale != null));
    KernelArguments arguments =
        gpu.arguments().add(dOutputAt).add(gateUpAt).add(columnsAt).add(quantized);
    gpu.launch(variant, rows, plan.threads(), arguments);
    return new SwigluGradient(new Rows(gateUp, quantized), dOutput);
  }
}
