package dev.anneal.training.fused;

import dev.anneal.training.cudnn.AttentionOperand;
import dev.anneal.training.cudnn.AttentionShape.Strides;
import dev.anneal.training.cudnn.RowGroup;
import dev.anneal.training.cudnn.RowIndices;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A group of rows, and where a GPU reads where they lie.
 *
 * @param lines {@link RowIndices} as int32
 * @param addresses of its parts
 */
record GroupOnDevice(RowGroup group, Tensor lines, Map<AttentionOperand, Long> addresses)
    implements AutoCloseable {
  /** Copied to {@code device} without waiting for it; outlives the scopes. */
  static GroupOnDevice of(int[] rowLengths, RowGroup group, Strides strides, Device device) {
    RowIndices indices = RowIndices.of(rowLengths, group, strides);
    try (TensorScope scope = new TensorScope()) {
      Tensor host = Tensors.of(indices.values()).to(ScalarType.Int).pin_memory();
      Tensor lines = Tensors.empty(device, ScalarType.Int, host.numel());
      lines.copy_(host, true);
      return new GroupOnDevice(
          group, TensorScope.own(lines), indices.addresses(lines.data_ptr().address()));
    }
  }

  @Override
  public void close() {
    lines.close();
  }
}
