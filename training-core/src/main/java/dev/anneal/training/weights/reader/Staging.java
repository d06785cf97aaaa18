package dev.anneal.training.weights.reader;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.PinnedMemory;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.nio.ByteBuffer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Memory that a thread reads a file into and the device takes it from. Its own owner, not a tensor
 * scope, frees it: a thread that cannot be stopped may still be writing to it.
 */
final class Staging implements AutoCloseable {
  private final Device device;
  private final Tensor bytes;
  private final ByteBuffer buffer;

  /** The device has taken what was in it. */
  private final CudaEvent taken;

  Staging(Device device, int size) {
    this.device = device;
    this.taken = new CudaEvent(device);
    try (TensorScope scope = new TensorScope()) {
      bytes = PinnedMemory.empty(device, ScalarType.Byte, size);
      bytes.retainReference();
      buffer = Tensors.bytes(bytes, 0).asByteBuffer();
    }
  }

  /** Its first {@code length} bytes, once they may be written; any thread may ask. */
  ByteBuffer writable(int length) {
    taken.synchronize();
    return buffer.duplicate().clear().limit(length);
  }

  /**
   * What was written as {@code [rows, columns]} of {@code type} on the device, in the current
   * tensor scope: on the host the memory itself.
   */
  Tensor onDevice(ScalarType type, long rows, long columns, int length) {
    Tensor values = bytes.narrow(0, 0, length).view(type).view(rows, columns);
    if (!device.isGpu()) {
      return values;
    }
    Tensor copy = Tensors.empty(device, type, rows, columns);
    copy.copy_(values, true);
    taken.record();
    return copy;
  }

  @Override
  public void close() {
    taken.synchronize();
    taken.close();
    bytes.releaseReference();
  }
}
