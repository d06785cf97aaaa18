package dev.anneal.training.kernel;

import static dev.anneal.training.kernel.Operand.address;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Kernels of our own, in CUDA C++ (beside this class among the resources), compiled for the chip at
 * hand at the first use of a shape. All of them are bound by memory, so each reads what it needs
 * once, in accesses of 16 bytes where shapes and addresses allow. The same input gives the same
 * bits.
 *
 * <p>They take bf16 and fp32, all operands of the compute dtype alike and contiguous.
 */
public final class CudaKernels implements Kernels {
  private static final int WARP = 32;
  private static final int MOST_ROPE_THREADS = 512;
  private static final int LOSS_THREADS = 1024;
  private static final int MOST_GATHER_THREADS = 512;
  private static final int ADAM_THREADS = 256;

  /** Vectors of an operand that a thread of SwiGLU's backward has registers for. */
  private static final int MOST_KEPT = 4;

  private final KernelLauncher gpu;
  private final RowPlan.Rule rule;

  /**
   * For the tensors of one GPU, which must be the current device of every thread that uses them.
   *
   * @throws KernelException if the GPU cannot be used
   */
  public CudaKernels(Device device) {
    this(device, RowPlan.STANDARD);
  }

  CudaKernels(Device device, RowPlan.Rule rule) {
    this.gpu = new KernelLauncher(device);
    this.rule = rule;
  }

  /**
   * For rows of {@code width} in operands at {@code addresses} (all of them together, {@code |}).
   */
  private RowPlan plan(String kernel, String real, long width, long addresses) {
    int vector = Operand.vector(real, width, addresses);
    int elements = Math.toIntExact(width);
    return RowPlan.of(vector, elements, elements / vector, rule.steps(kernel));
  }

  @Override
  public Normed rmsNorm(Tensor x, Tensor weight, double eps, Matmul matmul) {
    return rmsNorm(x, null, weight, eps, matmul);
  }

  @Override
  public Normed addRmsNorm(Tensor x, Tensor delta, Tensor weight, double eps, Matmul matmul) {
    return rmsNorm(x, delta, weight, eps, matmul);
  }

  private Normed rmsNorm(Tensor x, Tensor delta, Tensor weight, double eps, Matmul matmul) {
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
    RowPlan plan = plan("rms_norm", real, width, xAt | deltaAt | weightAt);
    gpu.kernel("rms_norm")
        .define("REAL", real)
        .define(plan)
        .define("ADD", delta != null)
        .define("QUANTIZE", quantized != null)
        .add(xAt)
        .add(deltaAt)
        .add(weightAt)
        .add(address(output))
        .add(address(rstd))
        .add(quantized)
        .add(eps)
        .run(rows, plan.threads());
    return new Normed(new Rows(output, quantized), rstd);
  }

  @Override
  public Rows rmsNormBackward(
      Tensor dOutput, Tensor x, Tensor rstd, Tensor weight, Tensor dResidual, Tensor columnScale) {
    String real = Operand.real(x);
    ScalarType type = x.scalar_type();
    long dOutputAt = address(dOutput, type, "dOutput");
    long xAt = address(x, type, "x");
    long weightAt = address(weight, type, "weight");
    long dResidualAt = address(dResidual, type, "dResidual");
    long columnsAt = address(columnScale, ScalarType.Float, "columnScale");
    Quantized quantized = columnScale == null ? null : gpu.emptyFp8(x.size(0), x.size(1));
    RowPlan plan =
        plan(
            "rms_norm_backward",
            real,
            x.size(1),
            dOutputAt | xAt | weightAt | dResidualAt | columnsAt);
    gpu.kernel("rms_norm_backward")
        .define("REAL", real)
        .define(plan)
        .define("COLUMN_SCALE", columnScale != null)
        .add(dOutputAt)
        .add(xAt)
        .add(address(rstd, ScalarType.Float, "rstd"))
        .add(weightAt)
        .add(dResidualAt)
        .add(columnsAt)
        .add(quantized)
        .run(x.size(0), plan.threads());
    return new Rows(dOutput, quantized);
  }

  @Override
  public void rope(Tensor heads, Tensor angles) {
    String real = Operand.real(heads);
    long count = heads.size(1);
    long headDim = heads.size(2);
    if (heads.stride(2) != 1 || heads.stride(1) != headDim) {
      throw new IllegalArgumentException("the heads of a token must be contiguous");
    }
    long rowStride = heads.stride(0);
    long headsAt = address(heads);
    long anglesAt = address(angles, ScalarType.Float, "angles");
    int vector = Operand.vector(real, headDim / 2, headsAt | anglesAt);
    if (rowStride % vector != 0) {
      vector = 1;
    }
    long pairs = count * (headDim / 2 / vector);
    int threads = threads(pairs, MOST_ROPE_THREADS);
    gpu.kernel("rope")
        .define("REAL", real)
        .define("VEC", vector)
        .define("WIDTH", Math.toIntExact(headDim))
        .add(headsAt)
        .add(anglesAt)
        .add(rowStride)
        .add(count)
        .run(heads.size(0), threads);
  }

  @Override
  public Rows ropeBackward(Tensor dQ, Tensor dK, Tensor dV, Tensor angles, Tensor columnScale) {
    String real = Operand.real(dQ);
    ScalarType type = dQ.scalar_type();
    long rows = dQ.size(0);
    int heads = Math.toIntExact(dQ.size(1));
    int kvHeads = Math.toIntExact(dK.size(1));
    int headDim = Math.toIntExact(dQ.size(2));
    int width = (heads + 2 * kvHeads) * headDim;
    Tensor output = dQ.new_empty(rows, width);
    Quantized quantized = columnScale == null ? null : gpu.emptyFp8(rows, width);
    long dQAt = address(dQ, type, "dQ");
    long dKAt = address(dK, type, "dK");
    long dVAt = address(dV, type, "dV");
    long anglesAt = address(angles, ScalarType.Float, "angles");
    long columnsAt = address(columnScale, ScalarType.Float, "columnScale");
    int vector = Operand.vector(real, headDim / 2, dQAt | dKAt | dVAt | anglesAt | columnsAt);
    RowPlan plan = RowPlan.of(vector, width, width / 2 / vector, rule.steps("rope_backward"));
    gpu.kernel("rope_backward")
        .define("REAL", real)
        .define(plan)
        .define("HEAD_DIM", headDim)
        .define("HEADS", heads)
        .define("KV_HEADS", kvHeads)
        .define("COLUMN_SCALE", columnScale != null)
        .add(dQAt)
        .add(dKAt)
        .add(dVAt)
        .add(anglesAt)
        .add(columnsAt)
        .add(address(output))
        .add(quantized)
        .run(rows, plan.threads());
    return new Rows(output, quantized);
  }

  @Override
  public Rows swiglu(Tensor gateUp, Matmul matmul) {
    String real = Operand.real(gateUp);
    long rows = gateUp.size(0);
    long width = gateUp.size(1) / 2;
    Tensor output = gateUp.new_empty(rows, width);
    Quantized quantized = matmul == Matmul.FP8 ? gpu.emptyFp8(rows, width) : null;
    long gateUpAt = address(gateUp, gateUp.scalar_type(), "gateUp");
    RowPlan plan = plan("swiglu", real, width, gateUpAt);
    gpu.kernel("swiglu")
        .define("REAL", real)
        .define(plan)
        .define("QUANTIZE", quantized != null)
        .add(gateUpAt)
        .add(address(output))
        .add(quantized)
        .run(rows, plan.threads());
    return new Rows(output, quantized);
  }

  @Override
  public SwigluGradient swigluBackward(Tensor dOutput, Tensor gateUp, Tensor columnScale) {
    String real = Operand.real(gateUp);
    ScalarType type = gateUp.scalar_type();
    long rows = gateUp.size(0);
    long width = gateUp.size(1) / 2;
    Quantized quantized = columnScale == null ? null : gpu.emptyFp8(rows, 2 * width);
    long dOutputAt = address(dOutput, type, "dOutput");
    long gateUpAt = address(gateUp, type, "gateUp");
    long columnsAt = address(columnScale, ScalarType.Float, "columnScale");
    RowPlan plan = plan("swiglu_backward", real, width, dOutputAt | gateUpAt | columnsAt);
    gpu.kernel("swiglu_backward")
        .define("REAL", real)
        .define(plan)
        .define("KEEP", plan.stepsOf(plan.width() / plan.vector()) <= MOST_KEPT)
        .define("COLUMN_SCALE", columnScale != null)
        .add(dOutputAt)
        .add(gateUpAt)
        .add(columnsAt)
        .add(quantized)
        .run(rows, plan.threads());
    return new SwigluGradient(new Rows(gateUp, quantized), dOutput);
  }

  @Override
  public Quantized quantize(Tensor x, Tensor columnScale) {
    String real = Operand.real(x);
    long rows = x.size(0);
    long width = x.size(1);
    Quantized quantized = gpu.emptyFp8(rows, width);
    long xAt = address(x, x.scalar_type(), "x");
    long columnsAt = address(columnScale, ScalarType.Float, "columnScale");
    RowPlan plan = plan("quantize", real, width, xAt | columnsAt);
    gpu.kernel("quantize")
        .define("REAL", real)
        .define(plan)
        .define("COLUMN_SCALE", columnScale != null)
        .add(xAt)
        .add(columnsAt)
        .add(quantized)
        .run(rows, plan.threads());
    return quantized;
  }

  @Override
  public Tensor transpose(Tensor bytes, Tensor into) {
    long rows = bytes.size(0);
    long columns = bytes.size(1);
    Tensor target;
    try (TensorScope scope = new TensorScope()) {
      target = scope.keep(Operand.viewOf(into, bytes, columns, rows));
    }
    long from = address(bytes, bytes.scalar_type(), "bytes");
    long to = address(target);
    boolean isAligned = (rows | columns | from | to) % 16 == 0;
    KernelLaunch launch =
        gpu.kernel(isAligned ? "transpose16" : "transpose1")
            .add(from)
            .add(to)
            .add(rows)
            .add(columns);
    if (isAligned) {
      launch.run(tiles(columns, 128), tiles(rows, 128), 256, 1);
    } else {
      launch.run(tiles(columns, 32), tiles(rows, 32), 32, 8);
    }
    return target;
  }

  private static long tiles(long extent, int tile) {
    return (extent + tile - 1) / tile;
  }

  @Override
  public Tensor crossEntropy(Tensor logits, Tensor targets) {
    String real = Operand.real(logits);
    long rows = logits.size(0);
    int width = Math.toIntExact(logits.size(1));
    Tensor loss = gpu.emptyFp32(rows);
    long logitsAt = address(logits, logits.scalar_type(), "logits");
    gpu.kernel("cross_entropy")
        .define("REAL", real)
        .define("VEC", Operand.vector(real, width, logitsAt))
        .define("THREADS", LOSS_THREADS)
        .add(logitsAt)
        .add(address(targets, ScalarType.Long, "targets"))
        .add(address(loss))
        .add(width)
        .run(rows, LOSS_THREADS);
    return loss;
  }

  @Override
  public void gatherRows(Tensor parts, long partRows, Tensor ids, long rows, Tensor output) {
    String real = Operand.real(output);
    long width = output.size(1);
    long outputAt = address(output, output.scalar_type(), "output");
    int vector = Operand.vector(real, width, outputAt);
    gpu.kernel("gather_rows")
        .define("REAL", real)
        .define("VEC", vector)
        .define("WIDTH", Math.toIntExact(width))
        .add(address(parts, ScalarType.Long, "parts"))
        .add(partRows)
        .add(address(ids, ScalarType.Long, "ids"))
        .add(rows)
        .add(outputAt)
        .run(output.size(0), threads(width / vector, MOST_GATHER_THREADS));
  }

  /** A thread for each of {@code vectors} as far as there are so many, in whole warps. */
  private static int threads(long vectors, int most) {
    return (int) Math.min(most, (vectors + WARP - 1) / WARP * WARP);
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
    long count = parameter.numel();
    long parameterAt = address(parameter, ScalarType.Float, "parameter");
    long computeAt = address(compute, compute.scalar_type(), "compute");
    long mAt = address(m, ScalarType.Float, "m");
    long vAt = address(v, ScalarType.Float, "v");
    long gradientAt = address(gradient, ScalarType.Float, "gradient");
    int vector = Operand.vector("float", count, parameterAt | computeAt | mAt | vAt | gradientAt);
    gpu.kernel("adamw")
        .define("COMPUTE", Operand.real(compute))
        .define("VEC", vector)
        .add(parameterAt)
        .add(computeAt)
        .add(mAt)
        .add(vAt)
        .add(gradientAt)
        .add(address(gradientScale, ScalarType.Float, "gradientScale"))
        .add(count)
        .add(1 - step.learningRate() * step.weightDecay())
        .add(1 - step.beta1())
        .add(step.beta2())
        .add(1 - step.beta2())
        .add(Math.sqrt(step.correction2()))
        .add(step.eps())
        .add(-step.learningRate() / step.correction1())
        .run((count / vector + ADAM_THREADS - 1) / ADAM_THREADS, ADAM_THREADS);
  }

  /** Unloads the kernels; those that run must have ended. */
  @Override
  public void close() {
    gpu.close();
  }
}
