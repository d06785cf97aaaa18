package dev.anneal.training.kernel;

import dev.anneal.training.tensor.Device;
import org.bytedeco.pytorch.Tensor;

/**
 * Kernels of our own, in CUDA C++ (beside this class among the resources), compiled for the chip at
 * hand at the first use of a shape. All of them are bound by memory, so each reads what it needs
 * once, in accesses of 16 bytes where shapes and addresses allow. The same input gives the same
 * bits.
 *
 * <p>They take bf16 and fp32, all operands of the compute dtype alike and contiguous; other compute
 * dtypes go to {@link PlainKernels}.
 */
public final class CudaKernels implements Kernels {
  private final PlainKernels plain = new PlainKernels();
  private final KernelContext gpu;
  private final NormKernels norm;
  private final RopeKernels rope;
  private final SwigluKernels swiglu;
  private final ByteKernels bytes;
  private final TrainingKernels training;

  /**
   * For the tensors of one GPU, which must be the current device of every thread that uses them.
   *
   * @throws KernelException if the GPU cannot be used
   */
  public CudaKernels(Device device) {
    this(device, RowPlan.STANDARD);
  }

  CudaKernels(Device device, RowPlan.Rule rule) {
    gpu = new KernelContext(device, rule);
    norm = new NormKernels(gpu);
    rope = new RopeKernels(gpu);
    swiglu = new SwigluKernels(gpu);
    bytes = new ByteKernels(gpu);
    training = new TrainingKernels(gpu);
  }

  @Override
  public Normed rmsNorm(Tensor x, Tensor weight, double eps, Matmul matmul) {
    return takes(x)
        ? norm.rmsNorm(x, null, weight, eps, matmul)
        : plain.rmsNorm(x, weight, eps, matmul);
  }

  @Override
  public Normed addRmsNorm(Tensor x, Tensor delta, Tensor weight, double eps, Matmul matmul) {
    return takes(x)
        ? norm.rmsNorm(x, delta, weight, eps, matmul)
        : plain.addRmsNorm(x, delta, weight, eps, matmul);
  }

  @Override
  public Rows rmsNormBackward(
      Tensor dOutput,
      Tensor x,
      Tensor rstd,
      Tensor weight,
      Tensor dResidual,
      Tensor columnScale) {
    return takes(x)
        ? norm.rmsNormBackward(dOutput, x, rstd, weight, dResidual, columnScale)
        : plain.rmsNormBackward(dOutput, x, rstd, weight, dResidual, columnScale);
  }

  @Override
  public void rope(Tensor heads, Tensor angles) {
    if (takes(heads)) {
      rope.rope(heads, angles);
    } else {
      plain.rope(heads, angles);
    }
  }

  @Override
  public Rows ropeBackward(Tensor dQ, Tensor dK, Tensor dV, Tensor angles, Tensor columnScale) {
    return takes(dQ)
        ? rope.ropeBackward(dQ, dK, dV, angles, columnScale)
        : plain.ropeBackward(dQ, dK, dV, angles, columnScale);
  }

  @Override
  public Rows swiglu(Tensor gateUp, Matmul matmul) {
    return takes(gateUp) ? swiglu.swiglu(gateUp, matmul) : plain.swiglu(gateUp, matmul);
  }

  @Override
  public SwigluGradient swigluBackward(Tensor dOutput, Tensor gateUp, Tensor columnScale) {
    return takes(gateUp)
        ? swiglu.swigluBackward(dOutput, gateUp, columnScale)
        : plain.swigluBackward(dOutput, gateUp, columnScale);
  }

  @Override
  public Quantized quantize(Tensor x, Tensor columnScale) {
    return takes(x) ? bytes.quantize(x, columnScale) : plain.quantize(x, columnScale);
  }

  @Override
  public Tensor transpose(Tensor matrix, Tensor into) {
    return bytes.transpose(matrix, into);
  }

  @Override
  public Tensor crossEntropy(Tensor logits, Tensor targets) {
    return takes(logits)
        ? training.crossEntropy(logits, targets)
        : plain.crossEntropy(logits, targets);
  }

  @Override
  public void adamW(
      Tensor parameter,
      Tensor compute,
      Tensor m,
      Tensor v,
      Tensor gradient,
      Tensor gradientScale,
      AdamWStep step) {
    if (takes(compute)) {
      training.adamW(parameter, compute, m, v, gradient, gradientScale, step);
    } else {
      plain.adamW(parameter, compute, m, v, gradient, gradientScale, step);
    }
  }

  private static boolean takes(Tensor x) {
    return Operand.real(x) != null;
  }

  /** Unloads the kernels; those that run must have ended. */
  @Override
  public void close() {
    gpu.close();
  }
}
