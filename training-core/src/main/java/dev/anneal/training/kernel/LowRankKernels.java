package dev.anneal.training.kernel;

import static dev.anneal.training.kernel.Operand.address;
import static dev.anneal.training.kernel.Operand.flag;

import dev.anneal.training.tensor.TensorScope;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** SwiGLU that adds the adapters' products on the tensor cores while it is at it, for bf16. */
final class LowRankKernels {
  /** A block's, as low_rank.cuh has them. */
  private static final int THREADS = 128;

  private static final int BLOCK_ROWS = 128;
  private static final int BLOCK_COLUMNS = 128;
  private static final int TILE_COLUMNS = 32;
  private static final int RANK_STEP = 8;
  private static final int ACCESS_BYTES = 16;

  private final KernelContext gpu;

  LowRankKernels(KernelContext gpu) {
    this.gpu = gpu;
  }

  /** Whether {@link #swiglu} takes it. */
  static boolean takes(GateUp gateUp) {
    return takes(gateUp.frozen(), present(gateUp.gate(), gateUp.up()));
  }

  /** Whether {@link #swigluBackward} takes them. */
  static boolean takes(Tensor dOutput, LowRank dOutputAdded, GateUp gateUp) {
    return isAligned(dOutput)
        && takes(gateUp.frozen(), present(gateUp.gate(), gateUp.up(), dOutputAdded));
  }

  private static boolean takes(Tensor gateUp, List<LowRank> added) {
    return gateUp.size(1) % (2 * TILE_COLUMNS) == 0
        && isAligned(gateUp)
        && added.stream().allMatch(LowRankKernels::takes)
        && added.stream().map(LowRankKernels::rank).distinct().count() == 1;
  }

  private static List<LowRank> present(LowRank... added) {
    return Stream.of(added).filter(Objects::nonNull).toList();
  }

  private static boolean takes(LowRank added) {
    Tensor low = added.low();
    return rank(added) % RANK_STEP == 0
        && low.stride(1) == 1
        && low.stride(0) % RANK_STEP == 0
        && isAligned(low)
        && isAligned(added.factor());
  }

  private static long rank(LowRank added) {
    return added.low().size(1);
  }

  private static boolean isAligned(Tensor x) {
    return x.scalar_type().value == ScalarType.BFloat16.value && address(x) % ACCESS_BYTES == 0;
  }

  /** {@code [T, I]}. */
  Tensor swiglu(GateUp gateUp) {
    Tensor frozen = gateUp.frozen();
    long rows = frozen.size(0);
    long width = frozen.size(1) / 2;
    Tensor output = frozen.new_empty(rows, width);
    try (TensorScope scope = new TensorScope()) {
      KernelVariant variant =
          KernelVariant.of(
              KernelSource.SWIGLU_LOW_RANK,
              width,
              rank(present(gateUp.gate(), gateUp.up()).get(0)),
              flag(gateUp.gate() != null),
              flag(gateUp.up() != null));
      KernelArguments arguments =
          gpu.arguments()
              .add(address(frozen, ScalarType.BFloat16, "gateUp"))
              .add(address(output))
              .add(rows);
      add(arguments, gateUp.gate());
      add(arguments, gateUp.up());
      launch(variant, rows, width, arguments);
    }
    return output;
  }

  /** {@code gateUp.frozen()} becomes the gradient, {@code dOutput} the output. */
  void swigluBackward(Tensor dOutput, LowRank dOutputAdded, GateUp gateUp) {
    Tensor frozen = gateUp.frozen();
    long rows = frozen.size(0);
    long width = frozen.size(1) / 2;
    try (TensorScope scope = new TensorScope()) {
      KernelVariant variant =
          KernelVariant.of(
              KernelSource.SWIGLU_BACKWARD_LOW_RANK,
              width,
              rank(present(gateUp.gate(), gateUp.up(), dOutputAdded).get(0)),
              flag(gateUp.gate() != null),
              flag(gateUp.up() != null),
              flag(dOutputAdded != null));
      KernelArguments arguments =
          gpu.arguments()
              .add(address(dOutput, ScalarType.BFloat16, "dOutput"))
              .add(address(frozen, ScalarType.BFloat16, "gateUp"))
              .add(rows);
      add(arguments, gateUp.gate());
      add(arguments, gateUp.up());
      add(arguments, dOutputAdded);
      launch(variant, rows, width, arguments);
    }
  }

  /** Into the current tensor scope goes the factor as the kernels want it. */
  private static void add(KernelArguments arguments, LowRank added) {
    if (added == null) {
      arguments.add(0L).add(0L).add(0L).add(0.0);
    } else {
      arguments
          .add(address(added.low()))
          .add(added.low().stride(0))
          .add(address(added.factor().contiguous()))
          .add(added.scale());
    }
  }

  private void launch(KernelVariant variant, long rows, long width, KernelArguments arguments) {
    long down = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    long across = (width + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    gpu.launch(variant, across, down, THREADS, 1, arguments);
  }
}
