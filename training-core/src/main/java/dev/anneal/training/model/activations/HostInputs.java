package dev.anneal.training.model.activations;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.cuda.PinnedMemory;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Timings;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Inputs of layers in pinned host memory. Copies run beside the computation on a stream of their
 * own: out while the following layers go forward, back in while the layer above goes backward.
 */
final class HostInputs implements KeptInputs {
  /** Layers whose copies may be under way at once; the device holds as many inputs. */
  static final int COPIES = 2;

  private final Device device;
  private final Timings timings;
  private final CudaStream stream;
  private final CudaEvent written;
  private final Tensor[] onDevice;
  private final Tensor[] onHost;
  private final List<CudaEvent> copied = new ArrayList<>();

  HostInputs(Device device, int layers, Timings timings) {
    this.device = device;
    this.timings = timings;
    stream = CudaStream.of(device);
    written = new CudaEvent(device);
    onDevice = new Tensor[layers];
    onHost = new Tensor[layers];
    for (int layer = 0; layer < layers; layer++) {
      copied.add(new CudaEvent(device));
    }
  }

  @Override
  public void save(int layer, Tensor x) {
    onDevice[layer] = TensorScope.own(x);
    onHost[layer] = TensorScope.own(PinnedMemory.empty(device, x.scalar_type(), Tensors.shape(x)));
    copy("input to host", layer, onHost[layer], x);
    if (layer >= COPIES) {
      free(layer - COPIES);
    }
  }

  @Override
  public Tensor load(int layer) {
    fetch(layer);
    if (layer > 0) {
      fetch(layer - 1);
    }
    copied.get(layer).await();
    Tensor x = new Tensor(onDevice[layer]);
    onDevice[layer].close();
    onDevice[layer] = null;
    onHost[layer].close();
    onHost[layer] = null;
    return x;
  }

  /** Begins to bring an input back, if it has left. */
  private void fetch(int layer) {
    if (onDevice[layer] == null) {
      onDevice[layer] =
          TensorScope.own(
              Tensors.empty(device, onHost[layer].scalar_type(), Tensors.shape(onHost[layer])));
      copy("input to device", layer, onDevice[layer], onHost[layer]);
    }
  }

  private void copy(String name, int layer, Tensor to, Tensor from) {
    written.record();
    stream.waitFor(written);
    try (CudaStream.Use use = stream.use()) {
      try (Timings.Span span = timings.device(Lane.OFFLOAD, name, layer)) {
        to.copy_(from, true);
      }
      copied.get(layer).record();
    }
  }

  /** Not after a failure, when what is on its way may wait for a rank that is gone. */
  private boolean allLoaded() {
    for (Tensor x : onHost) {
      if (x != null) {
        return false;
      }
    }
    return true;
  }

  /** Gives the device's memory back to the stream that it came from. */
  private void free(int layer) {
    copied.get(layer).await();
    onDevice[layer].close();
    onDevice[layer] = null;
  }

  @Override
  public void close() {
    if (allLoaded()) {
      // else the next micro-batch may find this one's host memory in use, and take as much again;
      // meanwhile the GPU has the backward of the lowest layers to do
      stream.synchronize();
    }
    for (int layer = 0; layer < onHost.length; layer++) {
      if (onDevice[layer] != null) {
        free(layer);
      }
      if (onHost[layer] != null) {
        onHost[layer].close();
      }
      copied.get(layer).close();
    }
    written.close();
    stream.close();
  }
}
