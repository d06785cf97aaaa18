package dev.anneal.training.fused;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.product.Matrix;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * FP8 weights by columns: Hopper multiplies rows by rows, and the backward's product sums over the
 * rows of a weight. They are made for each product, in room for the largest, or once and kept.
 */
final class WeightColumns {
  private final Kernels kernels;
  private final boolean areKept;

  /** {@code [n]} e4m3: of one weight, or of all. */
  private final Tensor room;

  /** Where the columns of kept weights begin, by the addresses of the weights. */
  private final Map<Long, Long> kept = new HashMap<>();

  /** Of what is kept. */
  private long end;

  /**
   * In the current tensor scope.
   *
   * @param like a tensor of the weights' device
   * @param bytes of the room
   * @param areKept the weights stay where they are, and there is room for all
   */
  WeightColumns(Kernels kernels, Tensor like, long bytes, boolean areKept) {
    this.kernels = kernels;
    this.areKept = areKept;
    this.room = Tensors.emptyLike(like, ScalarType.Float8_e4m3fn, bytes);
  }

  /** Elements of the largest weight of a layer. */
  static long largest(LlamaConfig config) {
    return Arrays.stream(ModuleGroup.values())
        .mapToLong(group -> group.elements(config))
        .max()
        .getAsLong();
  }

  /** Elements of all weights of {@code layers}. */
  static long all(LlamaConfig config, long layers) {
    return layers * ModuleGroup.elementsOfLayer(config);
  }

  /**
   * The transpose of {@code weight}, {@code [in, out]}, for what the current stream is given before
   * the next call.
   *
   * @param weight {@code [out, in]} e4m3 contiguous
   */
  Matrix of(Tensor weight) {
    long out = weight.size(0);
    long in = weight.size(1);
    if (!areKept) {
      return transposed(weight, 0, in, out);
    }
    long address = weight.data_ptr().address();
    Long at = kept.get(address);
    if (at != null) {
      return Matrix.at(room, at, in, out);
    }
    long begin = end;
    end += in * out;
    kept.put(address, begin);
    return transposed(weight, begin, in, out);
  }

  private Matrix transposed(Tensor weight, long at, long in, long out) {
    try (TensorScope scope = new TensorScope()) {
      kernels.transpose(weight, room.narrow(0, at, in * out));
    }
    return Matrix.at(room, at, in, out);
  }
}
