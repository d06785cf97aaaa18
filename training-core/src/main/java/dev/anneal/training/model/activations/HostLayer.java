package dev.anneal.training.model.activations;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.PinnedBlocks;
import dev.anneal.training.model.LayerStack;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A layer's tape whose tensors go to the host and come back: {@link #giveUp}, {@link #copyOut},
 * {@link #free}, {@link #allocate}, {@link #copyIn}, {@link #takeBack}.
 */
final class HostLayer implements AutoCloseable {
  /** What is smaller stays where it is, such as what attention says of its random numbers. */
  private static final long SMALL_BYTES = 64;

  /** A tensor that goes: which one, and where its bytes begin on the host. */
  private static final class Moved {
    final int index;
    final ScalarType type;
    final long[] shape;
    final long begin;

    Moved(int index, Tensor tensor, long begin) {
      this.index = index;
      this.type = tensor.scalar_type();
      this.shape = Tensors.shape(tensor);
      this.begin = begin;
    }
  }

  private final int layer;
  private final LayerStack.Tape tape;
  private final Device device;
  private final CudaEvent copied;
  private final List<Moved> moved = new ArrayList<>();

  /** What the tape gave up, in its order; {@code null} for each that is not on the device. */
  private final List<Tensor> tensors = new ArrayList<>();

  /** {@code null} before the tape gave anything up. */
  private PinnedBlocks onHost;

  private boolean onDevice = true;

  HostLayer(int layer, LayerStack.Tape tape, Device device) {
    this.layer = layer;
    this.tape = tape;
    this.device = device;
    this.copied = new CudaEvent(device);
  }

  int layer() {
    return layer;
  }

  LayerStack.Tape tape() {
    return tape;
  }

  /** Is done when the last copy is. */
  CudaEvent copied() {
    return copied;
  }

  /** Whether its tensors are on the device, or on their way there. */
  boolean isOnDevice() {
    return onDevice;
  }

  /** Takes the tape's tensors, and room for them on the host. */
  void giveUp() {
    tensors.addAll(tape.giveUp());
    long bytes = 0;
    for (int i = 0; i < tensors.size(); i++) {
      Tensor tensor = tensors.get(i);
      if (tensor.nbytes() >= SMALL_BYTES) {
        moved.add(new Moved(i, tensor, bytes));
        bytes += tensor.nbytes();
      }
    }
    onHost = PinnedBlocks.of(device, bytes);
  }

  void copyOut() {
    moved.forEach(each -> onHost.write(each.begin, tensors.get(each.index)));
  }

  /** Gives the device's memory back to the current stream, which it came from. */
  void free() {
    copied.await();
    for (Moved each : moved) {
      tensors.set(each.index, null).close();
    }
    onDevice = false;
  }

  /** Takes memory of the device from the current stream. */
  void allocate() {
    onDevice = true;
    try (TensorScope scope = new TensorScope()) {
      for (Moved each : moved) {
        tensors.set(each.index, TensorScope.own(Tensors.empty(device, each.type, each.shape)));
      }
    }
  }

  void copyIn() {
    moved.forEach(each -> onHost.read(each.begin, tensors.get(each.index)));
  }

  /** What the current stream is given from now on finds the tape as it was. */
  void takeBack() {
    copied.await();
    if (onHost != null) {
      tape.takeBack(List.copyOf(tensors));
      tensors.clear();
    }
  }

  /** Of the tape, nothing but what it gave up. */
  @Override
  public void close() {
    // a copy that is under way may read or write what the current stream is given next
    copied.await();
    for (Tensor tensor : tensors) {
      if (tensor != null) {
        tensor.close();
      }
    }
    tensors.clear();
    if (onHost != null) {
      onHost.close();
    }
    copied.close();
  }
}
