package dev.anneal.training.kernel;

import static dev.anneal.training.kernel.Operand.address;
import static dev.anneal.training.kernel.Operand.flag;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Rotary position embedding forward and backward, for bf16 and fp32. */
final class RopeKernels {
  private static final int MOST_THREADS = 512;
  private static final int WARP = 32;

  private final KernelContext gpu;

  RopeKernels(KernelContext gpu) {
    this.gpu = gpu;
  }

  void rope(Tensor heads, Tensor angles) {
    String real = Operand.real(heads);
    long count = heads.size(1);
    long headDim = heads.size(2);
    if (heads.stride(2) != 1 || heads.stride(1) != headDim) {
      throw new IllegalArgumentException("the heads of a token must be contiguous");
    }
    long rowStride = heads.stride(0);
    long headsAt = Operand.address(heads);
    long anglesAt = address(angles, ScalarType.Float, "angles");
    int vector = Operand.vector(real, headDim / 2, headsAt | anglesAt);
    if (rowStride % vector != 0) {
      vector = 1;
    }
    long pairs = count * (headDim / 2 / vector);
    int threads = (int) Math.min(MOST_THREADS, (pairs + WARP - 1) / WARP * WARP);
    KernelArguments arguments =
        gpu.arguments().add(headsAt).add(anglesAt).add(rowStride).add(count);
    gpu.launch(
        KernelVariant.of(KernelSource.ROPE, real, vector, Math.toIntExact(headDim)),
        heads.size(0),
        threads,
        arguments);
  }

  Rows ropeBackward(Tensor dQ, Tensor dK, Tensor dV, Tensor angles, Tensor columnScale) {
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
    RowPlan plan =
        RowPlan.of(vector, width, width / 2 / vector, gpu.steps(KernelSource.ROPE_BACKWARD));
    KernelVariant variant =
        KernelVariant.of(
            KernelSource.ROPE_BACKWARD,
            real,
            vector,
            width,
            plan.threads(),
            plan.blocks(),
            headDim,
            heads,
            kvHeads,
            flag(columnScale != null));
    KernelArguments arguments =
        gpu.arguments()
            .add(dQAt)
            .add(dKAt)
            .add(dVAt)
            .add(anglesAt)
            .add(columnsAt)
            .add(address(output))
            .add(quantized);
    gpu.launch(variant, rows, plan.threads(), arguments);
    return new Rows(output, quantized);
  }
}
