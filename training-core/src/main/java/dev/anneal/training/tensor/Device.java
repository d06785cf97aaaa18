package dev.anneal.training.tensor;

import java.io.Serializable;
import org.bytedeco.pytorch.DeviceOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Where tensors live and are computed with: the host, or one of its GPUs.
 *
 * @param cuda CUDA's index of the GPU among those that the process sees; -1 for the host
 */
public record Device(int cuda) implements Serializable {
  /** The host's memory and processors. */
  public static final Device CPU = new Device(-1);

  /** GPU {@code index} of those that this process sees. */
  public static Device gpu(int index) {
    return new Device(index);
  }

  /** Where {@code tensor} is. */
  public static Device of(Tensor tensor) {
    return tensor.is_cuda() ? gpu(tensor.device().index()) : CPU;
  }

  public boolean isGpu() {
    return cuda >= 0;
  }

  /** libtorch's name for it. */
  public org.bytedeco.pytorch.Device torch() {
    return isGpu()
        ? new org.bytedeco.pytorch.Device(DeviceType.CUDA, (byte) cuda)
        : new org.bytedeco.pytorch.Device(DeviceType.CPU);
  }

  TensorOptions options(ScalarType type) {
    return new TensorOptions(type).device(new DeviceOptional(torch()));
  }

  @Override
  public String toString() {
    return isGpu() ? "GPU " + cuda : "CPU";
  }
}
