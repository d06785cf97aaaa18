package dev.anneal.training.kernel;

import dev.anneal.training.tensor.Device;
import org.bytedeco.pytorch.Tensor;

/**
 * The memory-bound pieces of a Llama step. All run on the current stream of the tensors' device and
 * put what they make into the current tensor scope. {@code T} is the tokens of a micro-batch;
 * {@code x}'s dtype is the compute dtype; arithmetic is in fp32. Results that have an FP8 form
 * carry it if {@code matmul} is {@link Matmul#FP8}.
 */
public interface Kernels extends AutoCloseable {
  /** Those for {@code device}. */
  static Kernels on(Device device) {
    return device.isGpu() ? new CudaKernels(device) : new PlainKernels();
  }

  @Override
  default void close() {}

  /**
   * The result of {@link #rmsNorm}.
   *
   * @param rstd {@code [T]} fp32, {@code 1 / sqrt(mean(x^2) + eps)}
   */
  record Normed(Rows output, Tensor rstd) {}

  /** {@code weight * (x * rstd)}, {@code x [T, D]}, {@code weight [D]}. */
  Normed rmsNorm(Tensor x, Tensor weight, double eps, Matmul matmul);

  /** {@code delta += x}, then {@link #rmsNorm} of {@code delta}; both {@code [T, D]}. */
  Normed addRmsNorm(Tensor x, Tensor delta, Tensor weight, double eps, Matmul matmul);

  /**
   * {@code dX = dResidual + d rmsNorm(x) / dx * dOutput}.
   *
   * @param dOutput {@code [T, D]}, whose memory the result takes
   * @param rstd as {@link #rmsNorm} gave it
   * @param dResidual {@code [T, D]}: the gradient that reaches {@code x} past the norm
   * @param columnScale {@code [D]} fp32, or {@code null}, as in {@link #ropeBackward}
   */
  Rows rmsNormBackward(
      Tensor dOutput, Tensor x, Tensor rstd, Tensor weight, Tensor dResidual, Tensor columnScale);

  /**
   * Rotates query and key heads in place (Hugging Face's layout: the halves of a head against each
   * other).
   *
   * @param heads {@code [T, n, head_dim]}, the last two dimensions contiguous, any row stride
   * @param angles {@code [T, head_dim]} fp32: the cosines, then the sines, of the head_dim / 2
   *     angles of each token
   */
  void rope(Tensor heads, Tensor angles);

  /**
   * The gradient of a layer's joined q, k and v before rotation.
   *
   * @param dQ {@code [T, heads, head_dim]} contiguous, of the rotated queries; {@code dK}, {@code
   *     dV} likewise {@code [T, kv_heads, head_dim]}
   * @param columnScale {@code [D]} fp32 that the FP8 form's columns are multiplied with before they
   *     are quantized ({@code D = (heads + 2 kv_heads) * head_dim}); {@code null} for no FP8 form
   * @return {@code [T, D]}
   */
  Rows ropeBackward(Tensor dQ, Tensor dK, Tensor dV, Tensor angles, Tensor columnScale);

  /**
   * {@code silu(gate) * up}.
   *
   * @param gateUp {@code [T, 2 I]} contiguous: gate, then up
   * @return {@code [T, I]}
   */
  Rows swiglu(Tensor gateUp, Matmul matmul);

  /**
   * What {@link #swigluBackward} gives.
   *
   * @param dGateUp {@code [T, 2 I]}
   * @param act the output of the forward again, {@code [T, I]}
   */
  record SwigluGradient(Rows dGateUp, Tensor act) {}

  /**
   * The gradient of {@link #swiglu}, and its output. They take the memory of {@code gateUp} and
   * {@code dOutput}.
   *
   * @param dOutput {@code [T, I]} contiguous
   * @param columnScale {@code [2 I]} fp32, or {@code null}, as in {@link #ropeBackward}
   */
  SwigluGradient swigluBackward(Tensor dOutput, Tensor gateUp, Tensor columnScale);

  /**
   * FP8 form of {@code x} row by row.
   *
   * @param x {@code [R, D]} contiguous, bf16 or fp32
   * @param columnScale {@code [D]} fp32 that columns are multiplied with first; {@code null}: none
   */
  Quantized quantize(Tensor x, Tensor columnScale);

  /**
   * The transpose of bytes.
   *
   * @param bytes {@code [R, C]} of one byte an element
   * @param into at least {@code R * C} bytes
   * @return {@code [C, R]} contiguous, a view of {@code into}
   */
  Tensor transpose(Tensor bytes, Tensor into);

  /**
   * Cross-entropy and its gradient: {@code logits} become {@code softmax(logits) -
   * one_hot(target)}.
   *
   * @param logits {@code [N, V]} contiguous
   * @param targets {@code [N]} int64
   * @return {@code [N]} fp32, the loss of every row
   */
  Tensor crossEntropy(Tensor logits, Tensor targets);

  /**
   * Rows of a matrix that lies in parts of equally many rows, each anywhere that the device reads.
   *
   * @param parts {@code [P]} int64: the address at which each begins, aligned to 16 bytes
   * @param partRows rows of a part
   * @param ids {@code [T]} int64, the numbers of rows. One that is none of {@code rows} is read
   *     nowhere, and an error of the device
   * @param rows that the matrix has, at most those of all parts
   * @param output {@code [T, D]} contiguous, of the dtype of the matrix, where the rows go
   */
  void gatherRows(Tensor parts, long partRows, Tensor ids, long rows, Tensor output);

  /**
   * One AdamW step in the order of operations of {@code torch.optim.AdamW}, on flat fp32 vectors.
   *
   * @param parameter also written to {@code compute}, {@code [n]} of the compute dtype
   * @param gradient is multiplied with {@code gradientScale} first
   * @param gradientScale one fp32 element, on the device
   */
  void adamW(
      Tensor parameter,
      Tensor compute,
      Tensor m,
      Tensor v,
      Tensor gradient,
      Tensor gradientScale,
      AdamWStep step);

  /**
   * The numbers of one AdamW step.
   *
   * @param correction1 {@code 1 - beta1^step}
   * @param correction2 {@code 1 - beta2^step}
   */
  record AdamWStep(
      double learningRate,
      double weightDecay,
      double beta1,
      double beta2,
      double eps,
      double correction1,
      double correction2) {}
}
