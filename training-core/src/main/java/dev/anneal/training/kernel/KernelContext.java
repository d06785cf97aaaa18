package dev.anneal.training.kernel;

import dev.anneal.training.tensor.Device;
import java.util.Locale;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** What the kernels of one GPU share: how they are planned and started, and where they write. */
final class KernelContext implements AutoCloseable {
  private static final int FIRST_WITH_FP8 = 89;

  private final KernelLauncher launcher;
  private final RowPlan.Rule rule;
  private final TensorOptions fp8;
  private final TensorOptions fp32;
  private final MemoryFormatOptional noFormat;

  KernelContext(Device device, RowPlan.Rule rule) {
    this.launcher = new KernelLauncher(device);
    this.rule = rule;
    // made once, since making them costs as much as a launch; close() lets go of them
    DeviceOptional where = new DeviceOptional(device.torch());
    fp8 = new TensorOptions(ScalarType.Float8_e4m3fn).device(where).retainReference();
    fp32 = new TensorOptions(ScalarType.Float).device(where).retainReference();
    noFormat = new MemoryFormatOptional().retainReference();
  }

  /**
   * For rows of {@code width} in operands at {@code addresses} (all of them together, {@code |}).
   */
  RowPlan plan(KernelSource source, String real, long width, long addresses) {
    int vector = Operand.vector(real, width, addresses);
    int elements = Math.toIntExact(width);
    return RowPlan.of(vector, elements, elements / vector, steps(source));
  }

  /** Vectors of an operand that a thread should keep. */
  int steps(KernelSource source) {
    return rule.steps(source);
  }

  KernelArguments arguments() {
    return launcher.arguments();
  }

  /** Starts {@code blocks} blocks of {@code threads}. */
  void launch(KernelVariant variant, long blocks, int threads, KernelArguments arguments) {
    launcher.launch(variant, blocks, 1, threads, 1, arguments);
  }

  /** Starts a grid of blocks of {@code x * y} threads. */
  void launch(
      KernelVariant variant, long columns, long rows, int x, int y, KernelArguments arguments) {
    launcher.launch(variant, columns, rows, x, y, arguments);
  }

  Tensor emptyFp32(long... shape) {
    return torch.empty(shape, fp32, noFormat);
  }

  /**
   * Room for an FP8 form.
   *
   * @throws KernelException if the chip has no FP8
   */
  Quantized emptyFp8(long rows, long width) {
    if (launcher.capability() < FIRST_WITH_FP8) {
      throw new KernelException(
          String.format(
              Locale.ROOT,
              "FP8 products need a GPU of compute capability 8.9 or later, and this one has %.1f: set compute.matmul to bf16",
              launcher.capability() / 10.0));
    }
    return new Quantized(torch.empty(new long[] {rows, width}, fp8, noFormat), emptyFp32(rows, 1));
  }

  @Override
  public void close() {
    launcher.close();
    fp8.releaseReference();
    fp32.releaseReference();
    noFormat.releaseReference();
  }
}
