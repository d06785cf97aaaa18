package dev.anneal.training.model.activations;

import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.model.LayerStack;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Timings;
import java.util.ArrayList;
import java.util.List;

/**
 * Layers of which everything that their backward reads waits in pinned host memory. Copies run
 * beside the computation on a stream of their own: out while the following layers go forward, back
 * in while those above go backward. The last ones never leave: their backward comes at once.
 */
final class HostLayers implements AutoCloseable {
  /** Layers whose tensors the device holds at once, copies under way among them. */
  static final int ON_DEVICE = 2;

  private final Device device;
  private final int layers;
  private final Timings timings;
  private final CudaEvent written;

  /** {@code null} before the first copy. */
  private CudaStream stream;

  /** From the first to the last that was saved and not loaded. */
  private final List<HostLayer> waiting = new ArrayList<>();

  /**
   * @param layers how many there will be
   */
  HostLayers(Device device, int layers, Timings timings) {
    this.device = device;
    this.layers = layers;
    this.timings = timings;
    written = new CudaEvent(device);
  }

  /** To be called before the forward of every layer that is saved. */
  void makeRoom() {
    int oldest = waiting.size() - ON_DEVICE;
    if (oldest >= 0) {
      waiting.get(oldest).free();
    }
  }

  /** Takes a layer's tape; layers come in ascending order. */
  void save(int layer, LayerStack.Tape tape) {
    HostLayer saved = new HostLayer(layer, tape, device);
    waiting.add(saved);
    if (waiting.size() <= layers - ON_DEVICE) {
      saved.giveUp();
      copy("layer to host", saved, saved::copyOut);
    }
  }

  /** The tape of the last layer that was saved, which is the caller's to close. */
  LayerStack.Tape load() {
    int last = waiting.size() - 1;
    HostLayer loaded = waiting.get(last);
    loaded.takeBack();
    waiting.remove(last);
    loaded.close();
    return loaded.tape();
  }

  /** Begins to bring the next layer back that has left; to be called when a tape is closed. */
  void fetchNext() {
    int next = waiting.size() - ON_DEVICE;
    if (next >= 0 && !waiting.get(next).isOnDevice()) {
      HostLayer fetched = waiting.get(next);
      fetched.allocate();
      copy("layer to device", fetched, fetched::copyIn);
    }
  }

  private void copy(String name, HostLayer of, Runnable copies) {
    if (stream == null) {
      stream = CudaStream.of(device);
    }
    stream.beside(
        written,
        of.copied(),
        () -> {
          try (Timings.Span span = timings.device(Lane.OFFLOAD, name, of.layer())) {
            copies.run();
          }
        });
  }

  @Override
  public void close() {
    if (stream != null && waiting.isEmpty()) {
      // as with inputs: else the next micro-batch may find this one's host memory in use; not after
      // a failure, when what is on its way may wait for a rank that is gone
      stream.synchronize();
    }
    for (HostLayer each : waiting) {
      each.close();
      each.tape().close();
    }
    written.close();
    if (stream != null) {
      stream.close();
    }
  }
}
