package dev.anneal.training.weights;

import dev.anneal.training.collective.Collectives;
import dev.anneal.training.cuda.CudaEvent;
import dev.anneal.training.cuda.CudaStream;
import dev.anneal.training.peer.NoPeerAccessException;
import dev.anneal.training.peer.PeerArena;
import dev.anneal.training.peer.PeerMemory;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.timing.Lane;
import dev.anneal.training.timing.Timings;
import dev.anneal.training.weights.FrozenLayers.SharedPart;
import dev.anneal.training.weights.LayerLayout.Part;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Brings whole layers together in two buffers: while one is computed with, a stream of its own
 * brings the next into the other, by {@link LayerPulls} or by gathers. Events keep the streams from
 * each other's buffers; the host waits for neither.
 */
final class LayerBuffers implements AutoCloseable {
  /** One that is computed with, and one that is written. */
  static final int COUNT = 2;

  /** Where a matrix goes in one of the buffers; all but {@code weight} are bytes. */
  private record Target(
      Part part, Tensor weight, Tensor whole, Tensor mine, Tensor device, List<Tensor> host) {}

  private static final class Buffer {
    final int number;
    final Tensor bytes;
    final List<Target> targets = new ArrayList<>();

    /** What is in the buffer is complete. */
    final CudaEvent ready;

    /** What was enqueued with the layer in the buffer is done. */
    final CudaEvent released;

    int layer = FrozenLayers.NONE;

    Buffer(int number, Tensor bytes, Device device) {
      this.number = number;
      this.bytes = bytes;
      ready = new CudaEvent(device);
      released = new CudaEvent(device);
      // the memory may still be in use by what the current stream was given before
      released.record();
    }
  }

  private final LayerLayout layout;
  private final LayerShards shards;
  private final PeerArena arena;
  private final Device device;
  private final Collectives ranks;
  private final CudaStream copies;
  private final List<Buffer> buffers = new ArrayList<>();

  /** This rank's rows of every layer's matrices on the device, as views made once. */
  private final List<List<Tensor>> onDevice = new ArrayList<>();

  /** Likewise those on the host, each in its pieces. */
  private final List<List<List<Tensor>>> onHost = new ArrayList<>();

  /** What was enqueued before the last gather of something else is done. */
  private final CudaEvent asked;

  /** That gather is done, and all before it. */
  private final CudaEvent gathered;

  /** This rank's parts of what belongs to no layer. */
  private final List<Tensor> others = new ArrayList<>();

  private Buffer current;

  /** {@code null} where the group gathers. */
  private LayerPulls pulls;

  /**
   * Two buffers in the current tensor scope.
   *
   * @param arena that they are taken from, as the shards were
   */
  LayerBuffers(
      LayerLayout layout,
      LayerShards shards,
      DType dtype,
      int layers,
      Collectives ranks,
      PeerArena arena) {
    this.layout = layout;
    this.shards = shards;
    this.arena = arena;
    this.device = arena.device();
    this.ranks = ranks;
    this.copies = CudaStream.of(device);
    this.asked = new CudaEvent(device);
    this.gathered = new CudaEvent(device);
    for (int layer = 0; layer < layers; layer++) {
      int index = layer;
      onDevice.add(layout.parts().stream().map(p -> shards.onDevice(index, p)).toList());
      onHost.add(layout.parts().stream().map(p -> shards.onHost(index, p)).toList());
    }
    List<Tensor> rooms = arena.take(COUNT, layout.wholeBytes());
    for (int i = 0; i < COUNT; i++) {
      Tensor bytes = rooms.get(i);
      Buffer buffer = new Buffer(i, bytes, device);
      for (int p = 0; p < layout.parts().size(); p++) {
        buffer.targets.add(target(bytes, layout.parts().get(p), dtype, onHost.get(0).get(p)));
      }
      buffers.add(buffer);
    }
  }

  /**
   * From now on layers are pulled from the other ranks' memory. A collective, to be called when the
   * shards are written and before the first {@link #use}.
   *
   * @throws NoPeerAccessException on all ranks alike, if they cannot; then they gather
   */
  void pull() throws NoPeerAccessException {
    List<Tensor> shared = new ArrayList<>(shards.onDevice());
    buffers.forEach(buffer -> shared.add(buffer.bytes));
    shared.addAll(others);
    PeerMemory memory = PeerMemory.share(ranks, arena, shared);
    try {
      pulls = new LayerPulls(layout, shards, onDevice.size(), ranks, device, copies, memory);
    } catch (RuntimeException | Error e) {
      // or its peers would wait for its end
      memory.close();
      throw e;
    }
  }

  private Target target(Tensor bytes, Part part, DType dtype, List<Tensor> hostPieces) {
    Tensor whole = bytes.narrow(0, part.at().whole(), layout.ranks() * part.shardBytes());
    Tensor mine = whole.narrow(0, layout.rank() * part.shardBytes(), part.shardBytes());
    List<Tensor> host = new ArrayList<>();
    long at = part.deviceBytes();
    for (Tensor piece : hostPieces) {
      host.add(mine.narrow(0, at, piece.numel()));
      at += piece.numel();
    }
    Tensor weight =
        whole
            .narrow(0, 0, part.rows() * part.rowBytes())
            .view(dtype.scalarType())
            .view(part.rows(), part.columns());
    return new Target(
        part, weight, whole, mine, mine.narrow(0, 0, part.deviceBytes()), List.copyOf(host));
  }

  /**
   * The matrices of layer {@code layer}, in the order of the layout's parts, and meanwhile brings
   * layer {@code next}.
   */
  List<Tensor> use(int layer, int next) {
    if (current != null) {
      current.released.record();
    }
    Buffer buffer = holding(layer);
    if (buffer == null) {
      buffer = other(current);
      fetch(layer, buffer);
    }
    buffer.ready.await();
    current = buffer;
    if (next != FrozenLayers.NONE && holding(next) == null) {
      fetch(next, other(current));
    }
    return buffer.targets.stream().map(Target::weight).toList();
  }

  private Buffer holding(int layer) {
    for (Buffer buffer : buffers) {
      if (buffer.layer == layer) {
        return buffer;
      }
    }
    return null;
  }

  private Buffer other(Buffer buffer) {
    return buffer == buffers.get(0) ? buffers.get(1) : buffers.get(0);
  }

  private void fetch(int layer, Buffer buffer) {
    buffer.layer = FrozenLayers.NONE;
    try (TensorScope scope = new TensorScope();
        CudaStream.Use on = copies.use()) {
      buffer.released.await();
      if (pulls != null) {
        pulls.fetch(layer, buffer.number, buffer.released);
      } else {
        gather(layer, buffer);
      }
      buffer.ready.record();
    }
    buffer.layer = layer;
  }

  private void gather(int layer, Buffer buffer) {
    for (int p = 0; p < buffer.targets.size(); p++) {
      gather(onDevice.get(layer).get(p), onHost.get(layer).get(p), buffer.targets.get(p));
    }
  }

  private void gather(Tensor device, List<Tensor> host, Target target) {
    Tensor mine = device;
    if (layout.ranks() == 1 || !host.isEmpty()) {
      mine = target.mine();
      target.device().copy_(device, true);
      upload(host, target);
    }
    if (layout.ranks() > 1) {
      ranks.allGatherInto(target.whole(), mine);
    }
  }

  private void upload(List<Tensor> host, Target target) {
    if (host.isEmpty()) {
      return;
    }
    try (Timings.Span span =
        ranks.timings().device(Lane.OFFLOAD, "weights to device", Timings.NO_LAYER)) {
      for (int i = 0; i < host.size(); i++) {
        target.host().get(i).copy_(host.get(i), true);
      }
    }
  }

  /** Takes down a part of what belongs to no layer: before {@link #pull}. */
  SharedPart share(Tensor part) {
    others.add(part);
    return new Other(others.size() - 1);
  }

  /** All ranks' parts of what belongs to no layer, which come on the stream of the layers. */
  private final class Other implements SharedPart {
    private final int number;

    Other(int number) {
      this.number = number;
    }

    /**
     * One communicator serves one stream. It begins when what the current stream has been given is
     * done, because that may still use the memory of {@code whole}.
     */
    @Override
    public void begin(Tensor whole) {
      copies.beside(
          asked,
          gathered,
          () -> {
            if (pulls != null) {
              pulls.pull(shared(), whole);
            } else {
              ranks.allGatherInto(whole, others.get(number));
            }
          });
    }

    @Override
    public void await() {
      gathered.await();
    }

    @Override
    public long[] addresses() {
      return pulls == null ? new long[0] : pulls.addresses(shared());
    }

    /** Its number among all that ranks share: {@link #pull}. */
    private int shared() {
      return onDevice.size() + COUNT + number;
    }
  }

  /** Bytes of both. */
  long bytes() {
    return buffers.size() * layout.wholeBytes();
  }

  /**
   * The current stream may write where the buffers and the shards were, and no rank reads them any
   * more; for that the host waits as {@link PeerMemory#close} says. It waits for nothing else:
   * after a failure what is on its way may wait for a rank that is gone.
   */
  @Override
  public void close() {
    // a fetch that failed half-way has no event of its own
    try (CudaEvent last = new CudaEvent(copies.device())) {
      copies.record(last);
      last.await();
    }
    if (pulls != null) {
      pulls.close();
    }
    copies.close();
    for (Buffer buffer : buffers) {
      buffer.ready.close();
      buffer.released.close();
    }
    asked.close();
    gathered.close();
  }
}
