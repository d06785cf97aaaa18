package dev.anneal.training;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Gives a GPU's current stream work for some hundred milliseconds, so that whoever does not wait
 * for it comes too early; in the current tensor scope, to be closed before that.
 */
public final class BusyGpu implements AutoCloseable {
  /** A product of 8.8 trillion operations: 10 ms or more of an H200. */
  private static final long SIZE = 16_384;

  /** Few: a stream takes about a thousand kernels before the host has to wait. */
  private static final int PRODUCTS = 40;

  private final Tensor operand;
  private final Tensor result;
  private final CudaEvent end;

  public BusyGpu(Device device) {
    operand = Tensors.zeros(device, ScalarType.BFloat16, SIZE, SIZE);
    result = Tensors.zeros(device, ScalarType.BFloat16, SIZE, SIZE);
    end = new CudaEvent(device);
    // the first product takes the library's memory
    torch.mm_out(result, operand, operand);
  }

  /** Puts the work into the current stream. */
  public void begin() {
    try (TensorScope scope = new TensorScope()) {
      for (int i = 0; i < PRODUCTS; i++) {
        torch.mm_out(result, operand, operand);
      }
      end.record();
    }
  }

  /** Whether the GPU is through with what was begun last. */
  public boolean isDone() {
    return end.isDone();
  }

  @Override
  public void close() {
    end.synchronize();
    end.close();
  }
}
