package dev.anneal.training.kernel;

import static dev.anneal.training.kernel.Operand.address;
import static dev.anneal.training.kernel.Operand.flag;

import dev.anneal.training.tensor.TensorScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Row quantization, of bf16 and fp32, and the transpose of bytes. */
final class ByteKernels {
  private final KernelContext gpu;

  ByteKernels(KernelContext gpu) {
    this.gpu = gpu;
  }

  Quantized quantize(Tensor x, Tensor columnScale) {
    String real = Operand.real(x);
    long rows = x.size(0);
    long width = x.size(1);
    Quantized quantized = gpu.emptyFp8(rows, width);
    long xAt = address(x, x.scalar_type(), "x");
    long columnsAt = address(columnScale, ScalarType.Float, "columnScale");
    RowPlan plan = gpu.plan(KernelSource.QUANTIZE, real, width, xAt | columnsAt);
    KernelVariant variant =
        KernelVariant.of(
            KernelSource.QUANTIZE,
            real,
            plan.vector(),
            plan.width(),
            plan.threads(),
            plan.blocks(),
            flag(columnScale != null));
    KernelArguments arguments = gpu.arguments().add(xAt).add(columnsAt).add(quantized);
    gpu.launch(variant, rows, plan.threads(), arguments);
    return quantized;
  }

  Tensor transpose(Tensor bytes, Tensor into) {
    long rows = bytes.size(0);
    long columns = bytes.size(1);
    Tensor target;
    try (TensorScope scope = new TensorScope()) {
      target = scope.keep(PlainKernels.viewOf(into, bytes, columns, rows));
    }
    long from = address(bytes, bytes.scalar_type(), "bytes");
    long to = address(target);
    KernelArguments arguments = gpu.arguments().add(from).add(to).add(rows).add(columns);
    if ((rows | columns | from | to) % 16 == 0) {
      KernelVariant variant = KernelVariant.of(KernelSource.TRANSPOSE_16);
      gpu.launch(variant, tiles(columns, 128), tiles(rows, 128), 256, 1, arguments);
    } else {
      KernelVariant variant = KernelVariant.of(KernelSource.TRANSPOSE_1);
      gpu.launch(variant, tiles(columns, 32), tiles(rows, 32), 32, 8, arguments);
    }
    return target;
  }

  private static long tiles(long extent, int tile) {
    return (extent + tile - 1) / tile;
  }
}
