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
  private final int[] layers;
  private final List<CudaEvent> copied = new ArrayList<>();

  /** Inputs that were saved and not loaded; they stand first in the arrays, in their order. */
  private int saved;

  /**
   * @param count how many inputs there will be
   */
  HostInputs(Device device, int count, Timings timings) {
    this.device = device;
    this.timings = timings;
    stream = CudaStream.of(device);
    written = new CudaEvent(device);
    onDevice = new Tensor[count];
    onHost = new Tensor[count];
    layers = new int[count];
    for (int i = 0; i < count; i++) {
      copied.add(new CudaEvent(device));
    }
  }

  @Override
  public void save(int layer, Tensor x) {
    int i = saved++;
    layers[i] = layer;
    onDevice[i] = TensorScope.own(x);
    onHost[i] = TensorScope.own(PinnedMemory.empty(device, x.scalar_type(), Tensors.shape(x)));
    copy("input to host", i, onHost[i], x);
    if (i >= COPIES) {
      free(i - COPIES);
    }
  }

  @Override
  public Tensor load() {
    int i = --saved;
    fetch(i);
    if (i > 0) {
      fetch(i - 1);
    }
    copied.get(i).await();
    Tensor x = new Tensor(onDevice[i]);
    onDevice[i].close();
    onDevice[i] = null;
    onHost[i].close();
    onHost[i] = null;
    return x;
  }

  /** Begins to bring an input back, if it has left. */
  private void fetch(int i) {
    if (onDevice[i] == null) {
      onDevice[i] =
          TensorScope.own(Tensors.empty(device, onHost[i].scalar_type(), Tensors.shape(onHost[i])));
      copy("input to device", i, onDevice[i], onHost[i]);
    }
  }

  private void copy(String name, int i, Tensor to, Tensor from) {
    stream.beside(
        written,
        copied.get(i),
        () -> {
          try (Timings.Span span = timings.device(Lane.OFFLOAD, name, layers[i])) {
            to.copy_(from, true);
          }
        });
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
  private void free(int i) {
    copied.get(i).await();
    onDevice[i].close();
    onDevice[i] = null;
  }

  @Override
  public void close() {
    if (allLoaded()) {
      // else the next micro-batch may find this one's host memory in use, and take as much again;
      // meanwhile the GPU has the backward of the lowest layers to do
      stream.synchronize();
    }
    for (int i = 0; i < onHost.length; i++) {
      if (onDevice[i] != null) {
        free(i);
      }
      if (onHost[i] != null) {
        onHost[i].close();
      }
      copied.get(i).close();
    }
    written.close();
    stream.close();
  }
}
